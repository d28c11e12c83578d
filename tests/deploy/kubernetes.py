"""Charts rendered by helm, and objects checked as a cluster with the usual operators would."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/streamae"
VERSIONS = ("1.25.0", kubernetes_validate.latest_version())
CUSTOM = {model.__name__: model for model in (PodMonitor, PrometheusRule, ScaledObject)}
"""Made of the operators' own definitions of these resources."""

Object = dict[str, Any]


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm, that of the machine or that of `tests/tools.sh`."""
    path = os.pathsep.join([os.environ["PATH"], str(ROOT / ".cache/bin")])
    program = shutil.which("helm", path=path)
    if program is None:
        pytest.fail("helm is missing: sh tests/tools.sh")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def render(*arguments: str | Path) -> list[Object]:
    """Return the objects of a release named `t`."""
    done = helm("template", "t", CHART, *arguments)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def refused(*arguments: str | Path) -> str:
    """Return why helm does not render."""
    done = helm("template", "t", CHART, *arguments)
    assert done.returncode != 0
    return done.stderr


def check(found: Object) -> None:
    """Fail where a cluster would refuse an object, or drop a part of it that it does not know."""
    model = CUSTOM.get(found["kind"])
    if model is None:
        for version in VERSIONS:
            kubernetes_validate.validate(found, version, strict=True)
        return
    read = model.model_validate(found)
    assert read.model_dump(by_alias=True, exclude_unset=True, mode="json") == found
