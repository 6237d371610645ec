"""Which kernel, and just those of its modules that the box needs.

The kernel is the distribution's, out of its package.  A module is named as modprobe names it; those it
depends on come first, by its section .modinfo.  Compressed modules are unpacked here: not every
kernel can, and the image is compressed as a whole anyway.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from snakeroot import packages
from snakeroot.host import BuildError, cache, replace, run
from toolbox.linux.modprobe_conf import ModprobeConfig
from toolbox.linux.module_file import ModuleFile, module_name, normalize, read_module
from toolbox.linux.module_tree import matching

#: Kind of disk -> the drivers that lead to it.  Disks of USB need those of the usual controllers.
DISKS = {
    "virtio": ("virtio_pci", "virtio_blk"),
    "scsi": ("virtio_pci", "virtio_scsi", "sd_mod"),
    "sata": ("ahci", "sd_mod"),
    "nvme": ("nvme",),
    "usb": ("xhci_pci", "ehci_pci", "usb_storage", "uas", "sd_mod"),
}

#: What every box needs: a file system for /perm; and a virtual machine's network, for `snakeroot run` boots them all.
ALWAYS = ("ext4", "virtio_pci", "virtio_net")

#: What ext4 counts with what each user has, where the kernel has it.
QUOTA = "quota_v2"

#: The serial console of QEMU's machine.
CONSOLE = "ttyAMA0" if platform.machine() == "aarch64" else "ttyS0"

#: The smallest kernel for virtual machines that each distribution has, best first.
DEFAULT_PACKAGES = {
    "x86_64": ("linux-image-cloud-amd64", "linux-image-virtual"),
    "aarch64": ("linux-image-cloud-arm64", "linux-image-virtual"),
}


#: Packages that may be parts of a kernel.
PART = re.compile(r"linux-(image|binary|modules|base)-.+")

#: Where a package has its modules: in a folder named by the kernel's release.
MODULES = ("lib/modules", "usr/lib/modules")


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: its release (`uname -r`), bootable image, and folder of modules."""

    release: str
    image: Path
    folders: tuple[Path, ...]

    def module_files(self) -> dict[str, Path]:
        """Module name (with `_`, as the kernel writes it) -> file."""
        return {
            module_name(path.name): path
            for folder in self.folders
            for path in sorted(folder.rglob("*.ko*"))
        }

    def builtin(self) -> set[str]:
        """Names of the modules that are part of the kernel image."""
        lists = (folder / "modules.builtin" for folder in self.folders)
        return {
            module_name(line)
            for path in lists
            if path.exists()
            for line in path.read_text().splitlines()
        }

    @property
    def counts_for_users(self) -> bool:
        """Whether it can keep quotas of ext4 (CONFIG_QFMT_V2): Ubuntu's for virtual machines cannot."""
        return QUOTA in self.module_files() or QUOTA in self.builtin()

    def modules(self, wanted: tuple[str, ...]) -> dict[str, bytes]:
        """The wanted modules and all that they depend on, in an order in which they can be loaded.

        Returns the file's name inside lib/modules/RELEASE/ -> the module's bytes, not compressed.
        BuildError when the kernel has no such module.
        """
        files, builtin = self.module_files(), self.builtin()
        loaded: dict[str, bytes] = {}
        begun: set[str] = set()
        aliases: list[tuple[str, str]] = []

        def visit(name: str, needed_by: str) -> None:
            name = normalize(name)
            path = files.get(name)
            if path is None:
                if name in builtin:
                    return
                raise BuildError(
                    f"kernel module {name}{needed_by}: kernel {self.release} has none",
                    "a kernel for virtual machines lacks most drivers: set kernel.package to"
                    " linux-image-amd64 (Debian) or linux-image-generic (Ubuntu)",
                )
            if name in begun:
                return
            begun.add(name)
            data, module = read(path)
            before, after = soft_dependencies(module)
            for dependency in depends(module):
                visit(dependency, f" (for {name})")
            for dependency in before:
                visit_soft(dependency)
            loaded[f"kernel/{name}.ko"] = data
            for dependency in after:
                visit_soft(dependency)

        def visit_soft(name: str) -> None:
            """The modules of that name or alias; libcrc32c wants some crc32c, which is no module's name."""
            name = normalize(name)
            if name in files:
                found = [name]
            elif name in builtin:
                return
            else:
                if not aliases:  # all modules must be read for them
                    aliases.extend(self.aliases())
                found = matching(name, aliases)
            for module in found:
                try:
                    visit(module, "")
                except BuildError:
                    pass  # modprobe goes on without a soft dependency, too

        for name in wanted:
            visit(name, "")
        return loaded

    def aliases(self) -> list[tuple[str, str]]:
        """(pattern, module) for each alias of each module.

        Thousands of modules, perhaps compressed, are read for it; so it is kept, by the folders' names.  Those
        of unpacked packages bear the version.
        """
        key = hashlib.sha256(repr([str(folder) for folder in self.folders]).encode()).hexdigest()
        kept = cache() / "aliases" / f"{self.release}-{key[:16]}.json"
        lasting = all(folder.is_relative_to(cache() / "packages") for folder in self.folders)
        if lasting and kept.exists():
            return [(alias, name) for alias, name in json.loads(kept.read_text())]
        found = [
            (normalize(alias), name)
            for name, path in self.module_files().items()
            for alias in read(path)[1].information("alias")
        ]
        if lasting:
            replace(kept, json.dumps(found).encode())
        return found


def find(package: str = "") -> Kernel:
    """The kernel of the distribution's `package`, by default the smallest one for virtual machines."""
    for name in (package,) if package else DEFAULT_PACKAGES.get(platform.machine(), ()):
        try:
            return _of_package(name)
        except BuildError as error:
            problem = error
    if not package and platform.machine() not in DEFAULT_PACKAGES:
        raise BuildError(f"no kernel is known for a {platform.machine()}", "set kernel.package")
    raise problem


def _of_package(name: str) -> Kernel:
    """The kernel of a package and of those parts that it depends on.

    linux-image-cloud-amd64 only names the newest; Ubuntu keeps the modules in a package beside the image, and Debian
    from 14 on has one for the image, one for the modules, and one for what both need.
    """
    folders = [packages.unpacked(part) for part in _parts(name)]
    images = [image for folder in folders for image in _images(folder)]
    if not images:
        raise BuildError(
            f"{name}: holds no kernel", "name a linux-image-* package in kernel.package"
        )
    image = images[0]
    # boot/vmlinuz-RELEASE, or usr/lib/modules/RELEASE/vmlinuz
    release = image.name.partition("-")[2] or image.parent.name
    modules = [folder / prefix / release for folder in folders for prefix in MODULES]
    return Kernel(release, image, tuple(path for path in modules if path.is_dir()))


def _parts(name: str) -> list[str]:
    """The package, and what it depends on that may be a part of the kernel; each once."""
    found = [name]
    for package in found:
        for one in packages.dependencies(package):
            if PART.fullmatch(one) and one not in found:
                found.append(one)
    return found


def _images(folder: Path) -> list[Path]:
    patterns = ("boot/vmlinu*", *(f"{prefix}/*/vmlinu*" for prefix in MODULES))
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


def read(path: Path) -> tuple[bytes, ModuleFile]:
    """A module's bytes, whatever its file is compressed with, and what it says of itself."""
    try:
        # The builder's host has a zstd program; the toolbox has none.
        data = run(["zstd", "-dc", path]) if path.suffix == ".zst" else read_module(str(path))
        return data, ModuleFile(str(path), data)
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}") from None


def depends(module: ModuleFile) -> list[str]:
    """The modules without which this one cannot be loaded."""
    return [name for value in module.information("depends") for name in value.split(",") if name]


def soft_dependencies(module: ModuleFile) -> tuple[list[str], list[str]]:
    """The names or aliases to be loaded before and after this one, where there are such modules."""
    config = ModprobeConfig()
    config.add_soft(module.name, [])
    for line in module.information("softdep"):
        config.add_soft(module.name, line.split())
    return config.soft[module.name]
