"""The commands of `snakeroot`, a module for each group: `add_commands` declares them, and what they run stands below.

instances   what one box is: its folder and snakeroot.toml      settings   what changes snakeroot.toml
images      from there to bytes, and to a machine             box        what is done in a running box
completion  what a shell completes                            doctor     what this machine lacks

The commands about releases are in snakeroot.releasing and snakeroot.update.
"""
