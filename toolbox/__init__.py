"""The ground floor: what every applet stands on.  Imports nothing from applets/ or packaging/."""

VERSION = "0.1.0"
