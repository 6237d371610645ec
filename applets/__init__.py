"""The first floor: one applet = one module, a daemon is a package.  No applet imports another's insides.

`FAMILIES` says in which room an applet lives (BusyBox's families, POSIX's utility names);
`ALIASES` says by which other names it is called.  A test holds both against the tree.
"""

# A family of one applet that bears its name is that applet's own package (applets/init, ...).
FAMILIES = {
    "init": "init",
    "dhcp": "dhcp",
    "ntp": "ntp",
    "randomd": "randomd",
    "httpd": "httpd",
    "breakglass": "breakglass",
    "sh": "sh",
    "update": "update",
    "coreutils": "basename cat chmod chown cp cut date df dirname du echo env false head id ln ls"
    " mkdir mknod mv nproc printf pwd readlink realpath rm rmdir seq sleep sort stat sync tail tee"
    " test touch tr true tty uname uniq wc whoami yes",
    "findutils": "find grep xargs",
    "procps": "free kill pidof ps sysctl uptime",
    "util_linux": "dmesg mount switch_root umount",
    "modutils": "depmod insmod lsmod modprobe rmmod",
    "networking": "hostname ip nslookup ping wget",
    "console_tools": "clear reset",
    "miscutils": "time",
    "debianutils": "which",
    "system": "help logs poweroff python service",
}

ALIASES = {
    "[": "test",
    "ash": "sh",
    "chgrp": "chown",
    "egrep": "grep",
    "fgrep": "grep",
    "halt": "poweroff",
    "python3": "python",
    "reboot": "poweroff",
}

#: Every name that is answered to -> the module that does.
MODULES = {
    name: f"applets.{family}" if name == family else f"applets.{family}.{name}"
    for family, names in FAMILIES.items()
    for name in names.split()
}
MODULES.update({alias: MODULES[name] for alias, name in ALIASES.items()})
