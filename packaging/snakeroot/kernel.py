"""Which kernel, and just those of its modules that the box needs.

The kernel is the distribution's, out of its package.  A module is named as modprobe names it; those it
depends on come first.  Compressed modules are unpacked here: not every kernel can, and the image
is compressed as a whole anyway.
"""

from __future__ import annotations

import gzip
import lzma
import platform
from dataclasses import dataclass
from pathlib import Path

from snakeroot import packages
from snakeroot.host import BuildError, run

#: What a virtual machine needs: bus, network, disk.
VIRTUAL_MACHINE = ("virtio_pci", "virtio_net", "virtio_blk")

#: The serial console of QEMU's machine.
CONSOLE = "ttyAMA0" if platform.machine() == "aarch64" else "ttyS0"

#: The smallest kernel for virtual machines that each distribution has, best first.
DEFAULT_PACKAGES = {
    "x86_64": ("linux-image-cloud-amd64", "linux-image-virtual"),
    "aarch64": ("linux-image-cloud-arm64", "linux-image-virtual"),
}


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel: its release (`uname -r`), bootable image, and folder of modules."""

    release: str
    image: Path
    folders: tuple[Path, ...]

    def module_files(self) -> dict[str, Path]:
        """Module name (with `_`, as the kernel writes it) -> file."""
        return {
            path.name.partition(".ko")[0].replace("-", "_"): path
            for folder in self.folders
            for path in sorted(folder.rglob("*.ko*"))
        }

    def builtin(self) -> set[str]:
        """Names of the modules that are part of the kernel image."""
        lists = (folder / "modules.builtin" for folder in self.folders)
        return {
            Path(line).name.partition(".ko")[0].replace("-", "_")
            for path in lists
            if path.exists()
            for line in path.read_text().splitlines()
        }

    def modules(self, wanted: tuple[str, ...]) -> dict[str, bytes]:
        """The wanted modules and all that they depend on, in an order in which they can be loaded.

        Returns the file's name inside lib/modules/RELEASE/ -> the module's bytes, not compressed.
        BuildError when the kernel has no such module.
        """
        files, builtin = self.module_files(), self.builtin()
        loaded: dict[str, bytes] = {}

        def visit(name: str, needed_by: str) -> None:
            name = name.replace("-", "_")
            path = files.get(name)
            if path is None:
                if name in builtin:
                    return
                raise BuildError(f"kernel module {name}{needed_by}: kernel {self.release} has none")
            target = f"kernel/{name}.ko"
            if target in loaded:
                return
            data = unpack(path)
            for dependency in depends(data):
                visit(dependency, f" (for {name})")
            loaded[target] = data

        for name in wanted:
            visit(name, "")
        return loaded


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
    """A kernel package, or one that depends on it (linux-image-cloud-amd64 names the newest)."""
    names = [name]
    if not _images(packages.unpacked(name)):
        names = [d for d in packages.dependencies(name) if d.startswith("linux-image-")]
        # Ubuntu keeps the modules in a package beside the image.
        names += [d for n in list(names) for d in packages.dependencies(n) if "-modules-" in d]
    folders = [packages.unpacked(n) for n in names]
    images = [image for folder in folders for image in _images(folder)]
    if not images:
        raise BuildError(
            f"{name}: holds no kernel", "name a linux-image-* package in kernel.package"
        )
    release = images[0].name.partition("-")[2]
    prefixes = ("lib/modules", "usr/lib/modules")
    modules = [folder / prefix / release for folder in folders for prefix in prefixes]
    return Kernel(release, images[0], tuple(path for path in modules if path.is_dir()))


def _images(folder: Path) -> list[Path]:
    return sorted((folder / "boot").glob("vmlinu*")) if (folder / "boot").is_dir() else []


def unpack(path: Path) -> bytes:
    """A module's bytes, whatever its file is compressed with."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return run(["zstd", "-dc", path])
    return data


def depends(module: bytes) -> list[str]:
    """The `depends=` and `softdep=pre:` entries of a module's .modinfo section."""
    names: list[str] = []
    for prefix in (b"\0depends=", b"\0softdep=pre: "):
        start = module.find(prefix)
        if start >= 0:
            value = module[start + len(prefix) : module.index(b"\0", start + 1)].decode()
            names += value.partition(" post:")[0].replace(",", " ").split()
    return names
