"""What lies on a disk: partition table, boot state, slots.  Bytes in, bytes out; a device is passed in."""
