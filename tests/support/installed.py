"""Puts a project on the path as an installed package is: its package beside its metadata."""

import shutil
import tomllib
from pathlib import Path


def installed(project: Path, site: Path) -> Path:
    """Copy a project's package into `site`, with the entry points of its pyproject.toml."""
    described = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    for package in project.iterdir():
        if (package / "__init__.py").is_file():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(package, site / package.name, ignore=ignore)
    name, version = described["name"].replace("-", "_"), described["version"]
    metadata = site / f"{name}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {described['name']}\nVersion: {version}\n"
    )
    lines = []
    for group, points in described["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return site
