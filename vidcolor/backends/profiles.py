"""Build profiles (engines/profiles.toml) and the shapes that an engine takes."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from vidcolor.errors import BackendError, UsageError
from vidcolor.files import cache_folder
from vidcolor.models.base import PRECISIONS

CHECKOUT = Path(__file__).parents[2] / "engines"
WIDEST = 2.4  # long side over short side that an engine for any picture takes at least; CinemaScope is 2.39
USUAL = 4 / 3  # what it is tuned for: the shape of most black-and-white film
Shape = tuple[int, int, int]  # pictures, height, width


@dataclass(frozen=True, slots=True)
class Profile:
    """One table of profiles.toml; the fields are explained there."""

    name: str
    precision: str
    batch: tuple[int, int, int]
    shapes: str
    optimization_level: int
    workspace_mib: int
    tf32: bool

    def validate(self) -> None:
        """Raises UsageError for the first value that cannot be meant."""
        kinds = {"precision": str, "shapes": str, "optimization_level": int, "workspace_mib": int, "tf32": bool}
        for name, kind in kinds.items():
            if type(getattr(self, name)) is not kind:
                raise UsageError(
                    f"profile '{self.name}' has {name} {getattr(self, name)!r}", f"it is of kind {kind.__name__}"
                )
        if len(self.batch) != 3 or any(type(count) is not int for count in self.batch):
            raise UsageError(f"profile '{self.name}' has batch {list(self.batch)}", "it is three whole numbers")
        least, usual, most = self.batch
        if not 1 <= least <= usual <= most:
            raise UsageError(
                f"the batches {list(self.batch)} cannot be meant", "they are least, usual, most", "Try: --batch 1,8,32"
            )
        if self.precision not in PRECISIONS:
            raise UsageError(f"no precision is named '{self.precision}'", f"there are {', '.join(PRECISIONS)}")
        if self.shapes not in ("any", "exact"):
            raise UsageError(f"profile '{self.name}' has shapes '{self.shapes}'", 'they can be "any" or "exact"')
        if self.workspace_mib < 0:
            raise UsageError(f"profile '{self.name}' has workspace_mib {self.workspace_mib}", "it must be at least 0")
        if not 0 <= self.optimization_level <= 5:
            raise UsageError(
                f"profile '{self.name}' has optimization_level {self.optimization_level}", "it can be 0 to 5"
            )


@dataclass(frozen=True, slots=True)
class Shapes:
    """The inputs that an engine takes, as (pictures, height, width): smallest, tuned for, largest."""

    least: Shape
    usual: Shape
    most: Shape

    def admit(self, count: int, height: int, width: int) -> bool:
        return all(low <= x <= high for low, x, high in zip(self.least, (count, height, width), self.most, strict=True))

    def spread(self) -> int:
        """0 for one picture size alone; the larger, the less it was tuned for each."""
        return self.most[1] * self.most[2] - self.least[1] * self.least[2]

    def words(self) -> str:
        sizes = [f"{height}x{width}" for _, height, width in (self.least, self.most)]
        batches = "-".join(str(shape[0]) for shape in (self.least, self.usual, self.most))
        return f"b{batches}-{sizes[0] if sizes[0] == sizes[1] else '-'.join(sizes)}"


def shapes_for(profile: Profile, height: int, width: int, stride: int) -> Shapes:
    """The shapes of an engine for pictures of height × width (multiples of `stride`), widened as the profile says."""
    least, usual, most = profile.batch
    if profile.shapes == "exact":
        return Shapes((least, height, width), (usual, height, width), (most, height, width))
    short = min(height, width)

    def side(factor: float) -> int:
        return -(-round(short * factor) // stride) * stride

    largest = max(side(WIDEST), height, width)
    return Shapes((least, short, short), (usual, short, side(USUAL)), (most, largest, largest))


def engine_folder() -> Path:
    """Where engines are kept: `engines/` of a checkout, the user's cache folder for an installed package."""
    return CHECKOUT if (CHECKOUT / "profiles.toml").is_file() else cache_folder("engines")


def profiles_file() -> Path:
    """profiles.toml of the checkout, or the one that was installed with the package.

    Raises:
        BackendError: there is none.
    """
    for place in _places():
        if place.is_file():
            return place
    raise BackendError("the build profiles are missing", "profiles.toml was not installed", "Install vidcolor again.")


def _places() -> Iterator[Path]:
    """Where profiles.toml may be; what pip records is wrong after `pip install --target`."""
    yield CHECKOUT / "profiles.toml"
    yield CHECKOUT.parent / "share" / "vidcolor" / "profiles.toml"
    for file in importlib.metadata.files("vidcolor") or ():
        if file.name == "profiles.toml":
            yield Path(file.locate())


def load_profiles(path: Path | None = None) -> dict[str, Profile]:
    """All profiles by name.

    Raises:
        UsageError: the file has a value that cannot be meant.
    """
    path = path or profiles_file()
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
        profiles = {
            name: Profile(name=name, **{**table, "batch": tuple(table["batch"])}) for name, table in tables.items()
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        known = ", ".join(field.name for field in fields(Profile) if field.name != "name")
        raise UsageError(f"cannot use {path}", f"{error}; a profile has {known}") from error
    for profile in profiles.values():
        profile.validate()
    return profiles


def find_profile(name: str) -> Profile:
    """A profile by its name.

    Raises:
        UsageError: there is none of that name.
    """
    profiles = load_profiles()
    if name not in profiles:
        raise UsageError(
            f"no build profile is named '{name}'", f"there are {', '.join(profiles)}", f"See: {profiles_file()}"
        )
    return profiles[name]
