"""What is in the image: the modules that a start need not import.

All of our own modules, the libraries of the daemons, and what Python programs commonly import of the standard library.
Any other module is imported from the frozen table when somebody asks for it, as in the plain program.
"""

#: The standard library: what services and small programs import.
STANDARD = """
abc argparse array ast asyncio atexit base64 binascii bisect bz2 calendar cmath cmd code codecs codeop collections
collections.abc colorsys concurrent.futures concurrent.futures.thread configparser contextlib contextvars copy copyreg csv
ctypes ctypes.util dataclasses datetime decimal difflib dis email email.message email.mime.multipart email.mime.text
email.parser email.policy email.utils encodings.ascii encodings.idna encodings.latin_1 encodings.utf_8 enum errno
faulthandler fcntl filecmp fnmatch fractions functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib
heapq hmac html html.entities html.parser http http.client http.cookiejar http.cookies http.server importlib
importlib.abc importlib.machinery importlib.metadata importlib.resources importlib.util inspect io ipaddress itertools json
keyword linecache locale logging logging.handlers lzma marshal math mimetypes mmap numbers opcode operator os os.path
pathlib pickle pkgutil platform plistlib posixpath pprint pty pwd queue quopri random re reprlib resource runpy sched secrets
select selectors shelve shlex shutil signal smtplib socket socketserver sqlite3 ssl stat statistics string stringprep struct
subprocess sys sysconfig syslog tarfile tempfile termios textwrap threading time timeit token tokenize tomllib traceback
tracemalloc tty types typing unicodedata urllib urllib.error urllib.parse urllib.request urllib.response uuid warnings wave
weakref xml.etree.ElementTree xml.sax.saxutils zipfile zipimport zlib zoneinfo
""".split()

#: Libraries: what the daemons use, and all that follows from it; and our own module in C.
LIBRARIES = """
_syscalls asyncssh cryptography cryptography.fernet cryptography.x509 cryptography.hazmat.primitives.asymmetric.ed25519
cryptography.hazmat.primitives.asymmetric.x25519 cryptography.hazmat.primitives.ciphers.aead
cryptography.hazmat.primitives.kdf.scrypt cryptography.hazmat.primitives.serialization dnslib h11 ntplib prompt_toolkit
prompt_toolkit.auto_suggest prompt_toolkit.completion prompt_toolkit.formatted_text prompt_toolkit.history
prompt_toolkit.key_binding prompt_toolkit.shortcuts wcwidth
""".split()

#: Our own packages, with all of their modules.
OWN = ("toolbox", "applets")

#: What must not be in the image, and why.
EXCLUDED = {
    "multiprocessing": "its process object has a secret made at import (authkey)",
    "curses": "the terminal library's state lies outside the image",
    "_curses": "the terminal library's state lies outside the image",
    "readline": "not in the program at all: it is under the GPL",
    "antigravity": "opens a browser",
    "this": "prints",
    "test": "CPython's own tests",
    "pdb": "for developers: rarely, and then its import is the least",
    "unittest": "for developers: rarely, and then its import is the least",
}

#: Variables of the environment that are read at import: what for, and why that does no harm.
ENVIRONMENT = {
    "PYTHONTZPATH": "where zoneinfo looks for its files: restore() makes it look again when it is set",
    "WCWIDTH_PYTHON": "chooses between wcwidth's implementations; there is only one here",
    "HOME": "a variable of sysconfig, which are forgotten (record.py)",
    "PYTHONUSERBASE": "a variable of sysconfig, which are forgotten (record.py)",
    "_PYTHON_PROJECT_BASE": "a switch of CPython's own build",
    "_PYTHON_SYSCONFIGDATA_NAME": "a switch of CPython's own build",
    "_PYTHON_SYSCONFIGDATA_PATH": "a switch of CPython's own build",
    "_PYTHON_SUBPROCESS_USE_POSIX_SPAWN": "a switch of CPython's own tests",
}

#: What the audit of the heap may find, by the path to it: why it does no harm, or who renews it.
HELD = {
    "logging._startTime": "restore()",
    "random._inst": "restore.c",
    "threading._active": "restore()",
    "threading._main_thread.<_MainThread>": "restore()",
}
