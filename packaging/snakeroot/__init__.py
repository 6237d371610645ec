"""The builder: on the developer's machine, from an instance's folder to bytes that boot.

config      snakeroot.toml -> Instance           programs   a Python program -> files
packages    a distribution's package -> files    kernel     which kernel, which of its modules
rootfs      Instance -> Tree                     tree       what a root file system holds
cpio        Tree -> initramfs                    image      the steps, and what is up to date
qemu        boots the image                      cli        the commands
"""
