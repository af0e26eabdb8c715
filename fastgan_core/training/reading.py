"""Reading recipes: YAML into validated dataclasses, with every mistake named."""

import contextlib
import dataclasses
import difflib
import typing
from pathlib import Path
from typing import Any

import yaml

from fastgan_core.data.composing import ClipOptions
from fastgan_core.errors import FastganError
from fastgan_core.training.lite.recipe import LiteRecipe, Stretch
from fastgan_core.training.recipe import Phase, Recipe


def name_of(kind: Any) -> str:
    """How a field's type is called in a message: ``float``, ``dict[str, float]``."""
    return str(kind) if typing.get_origin(kind) else kind.__name__


def fits(value: Any, kind: Any) -> bool:
    """Whether a YAML value can stand for a field of this type; an integer can for a float, true cannot for 1."""
    origin = typing.get_origin(kind)
    if origin:
        if type(value) is not origin:
            return False
        columns = (value.keys(), value.values()) if origin is dict else (value,)
        return all(
            fits(member, wanted)
            for column, wanted in zip(columns, typing.get_args(kind), strict=True)
            for member in column
        )
    return type(value) is kind or (kind is float and type(value) is int)


def check_range(key: str, value: Any, about: typing.Mapping, where: str) -> None:
    """Raise FastganError when a number, or one in a list or dict, is out of its range, or a choice is none."""
    numbers = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for number in numbers:
        if isinstance(number, int | float) and not about["low"] <= number <= about["high"]:
            raise FastganError(f"{where}: {key} is {value}; it must lie between {about['low']} and {about['high']}")
    if about["choices"] and value not in about["choices"]:
        raise FastganError(f"{where}: {key} is '{value}'; choose one of {', '.join(map(str, about['choices']))}")


def build(cls: type, values: Any, where: str):
    """``cls(**values)`` with unknown, missing and mistyped keys refused in words."""
    if not isinstance(values, dict):
        raise FastganError(f"{where}: expected keys and values, got {type(values).__name__}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, 1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known keys: {', '.join(fields)}"
            raise FastganError(f"{where}: unknown key '{key}'{hint}")
        if fields[key].type is float and isinstance(values[key], str):
            with contextlib.suppress(ValueError):  # YAML takes 6e-4, which has no point, for text
                values[key] = float(values[key])
        value = values[key]
        if not fits(value, fields[key].type):
            raise FastganError(f"{where}: {key} is {value!r}, which is not of type {name_of(fields[key].type)}")
        if fields[key].type is float:
            values[key] = float(value)
        if fields[key].metadata:
            check_range(key, value, fields[key].metadata, where)
    try:
        return cls(**values)
    except TypeError as error:
        raise FastganError(f"{where}: {error}".replace("__init__() ", "")) from None


def from_dict(values: Any, where: str = "recipe") -> Recipe | LiteRecipe:
    """A validated recipe. Raises FastganError naming the key and, for a typo, the nearest known one."""
    if isinstance(values, dict) and values.get("variant") == "lite" and "phases" not in values:
        return _lite(dict(values), where)
    if not isinstance(values, dict) or not isinstance(values.get("phases"), list) or not values["phases"]:
        raise FastganError(f"{where}: 'phases' must list at least one phase with size, batch, and steps or epochs")
    values = dict(values)
    phases = [dict(p) if isinstance(p, dict) else p for p in values["phases"]]
    values["phases"] = [build(Phase, p, f"{where}: phases[{i}]") for i, p in enumerate(phases)]
    recipe = build(Recipe, values, where)
    recipe.check(where)
    return recipe


def _lite(values: dict, where: str) -> LiteRecipe:
    stretches = values.get("stretches", [])
    if not isinstance(stretches, list):
        raise FastganError(f"{where}: 'stretches' must be a list")
    stretches = [dict(s) if isinstance(s, dict) else s for s in stretches]
    values["stretches"] = [build(Stretch, s, f"{where}: stretches[{i}]") for i, s in enumerate(stretches)]
    composed = values.pop("composed", None)
    recipe = build(LiteRecipe, values, where)
    if composed is not None:
        options = dict(composed) if isinstance(composed, dict) else composed
        recipe.composed = build(ClipOptions, options, f"{where}: composed")
    recipe.check(where)
    return recipe


def assign(values: Any, override: str) -> None:
    """Set one value of a nested recipe: ``lr=1e-4``, ``stills.ecssd=2``, ``phases.0.steps=10``."""
    path, found, text = override.partition("=")
    keys = path.split(".")
    try:
        if not found:
            raise KeyError
        for key in keys[:-1]:
            values = values[int(key)] if isinstance(values, list) else values.setdefault(key, {})
        last = int(keys[-1]) if isinstance(values, list) else keys[-1]
        values[last] = yaml.safe_load(text)
    except (KeyError, IndexError, ValueError, TypeError, AttributeError, RecursionError, yaml.YAMLError):
        raise FastganError(
            f"--set {override}: write it as key=value; parts of a value as stills.ecssd=2 or phases.0.steps=10"
        ) from None


def load_recipe(path: str | Path, overrides: list[str] = ()) -> Recipe | LiteRecipe:
    """Read a YAML recipe; ``overrides`` are those of :func:`assign`."""
    try:
        values = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise FastganError(f"{path}: there is no such recipe") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # also of dates, bytes that are no text, deep nesting
        raise FastganError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise FastganError(f"{path}: a recipe is keys and values, this is {type(values).__name__}")
    for override in overrides:
        assign(values, override)
    return from_dict(values, str(path))
