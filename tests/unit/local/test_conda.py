"""environment.yml → what pip can satisfy, or a refusal by name."""

import pytest

from binder_federation.binder.errors import BuildFailed, UnsupportedRepository
from binder_federation.cluster_agent.stacks.local.conda import (
    CondaEnvironment,
    read_conda_environment,
)


def read(*dependencies: str) -> CondaEnvironment:
    lines = "".join(f"  - {entry}\n" for entry in dependencies)
    return read_conda_environment(f"name: x\ndependencies:\n{lines}", "binder/environment.yml")


@pytest.mark.parametrize(
    ("specification", "requirement"),
    [
        ("numpy", "numpy"),
        ("numpy=1.26", "numpy==1.26.*"),
        ("numpy=1.26.4=py311h64a7726_0", "numpy==1.26.4.*"),
        ("numpy==1.26.4", "numpy==1.26.4"),
        ("numpy =1.26", "numpy==1.26.*"),
        ("numpy 1.26.*", "numpy==1.26.*"),
        ("numpy 1.26.4 py311_0", "numpy==1.26.4"),
        ("numpy=1.26.*", "numpy==1.26.*"),
        ('"numpy>=1.20,<2"', "numpy>=1.20,<2"),
        ('"numpy >=1.20, <2.0"', "numpy>=1.20,<2.0"),
        ('"numpy>=1.20.*"', "numpy>=1.20"),
        ('"numpy!=1.25"', "numpy!=1.25"),
        ('"numpy~=1.25"', "numpy~=1.25"),
        ("numpy=*", "numpy"),
        ("\"numpy[version='>=1.2,<2']\"", "numpy>=1.2,<2"),
        ("conda-forge::numpy=1.26", "numpy==1.26.*"),
        ("NumPy", "numpy"),
        ("pytorch=2.1", "torch==2.1.*"),
        ("matplotlib-base", "matplotlib"),
        ("ruamel_yaml", "ruamel.yaml"),
        ("msgpack-python=1.0", "msgpack==1.0.*"),
    ],
)
def test_a_match_specification_becomes_a_requirement(specification: str, requirement: str) -> None:
    assert read(specification).requirements == (requirement,)


@pytest.mark.parametrize(
    "name", ["pip", "setuptools=68", "openssl", "_libgcc_mutex=0.1", "ca-certificates", "nomkl"]
)
def test_what_every_python_has_is_left_out(name: str) -> None:
    assert read(name, "six").requirements == ("six",)


@pytest.mark.parametrize(
    ("specification", "name"),
    [
        ("r-base", "r-base"),
        ("r-ggplot2=3.4", "r-ggplot2"),
        ("nodejs", "nodejs"),
        ("gcc", "gcc"),
        ("gdal=3.6", "gdal"),
        ("cudatoolkit=11", "cudatoolkit"),
        ("conda-forge::ffmpeg", "ffmpeg"),
        ("bioconductor-deseq2", "bioconductor-deseq2"),
    ],
)
def test_what_only_conda_has_is_refused_by_name(specification: str, name: str) -> None:
    with pytest.raises(UnsupportedRepository) as refused:
        read("six", specification)
    assert f"binder/environment.yml asks for the package {name}," in refused.value.message
    assert "Docker" in refused.value.message


def test_a_version_that_pip_cannot_read_is_refused() -> None:
    with pytest.raises(UnsupportedRepository, match="six in a version that pip cannot read"):
        read('"six=1.2|1.3"')


@pytest.mark.parametrize(
    ("specification", "python"),
    [
        ("python=3.11", "3.11"),
        ("python=3.11.4", "3.11"),
        ("python==3.10.2", "3.10"),
        ("python 3.9.*", "3.9"),
        ('"python>=3.9"', "3.9"),
        ('"python<3.12"', None),
        ("python=3", None),
        ("python", None),
    ],
)
def test_the_version_of_python(specification: str, python: str | None) -> None:
    assert read(specification).python == python


def test_the_pip_list_is_taken_over() -> None:
    text = "dependencies:\n- six\n- pip\n- pip:\n  - xlrd==2\n  - -e .\n"
    environment = read_conda_environment(text, "environment.yml")
    assert environment == CondaEnvironment(None, ("six",), ("xlrd==2", "-e ."))


@pytest.mark.parametrize("text", ["", "name: only\n", "dependencies:\n", "channels: [defaults]\n"])
def test_an_environment_may_be_empty(text: str) -> None:
    assert read_conda_environment(text, "environment.yml") == CondaEnvironment(None, (), ())


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b\n",
        "dependencies: six\n",
        "dependencies:\n- {docker: x}\n",
        "dependencies:\n- '>=3'\n",
        "dependencies: [\n",
        "!!python/object/apply:os.system [true]\n",
    ],
)
def test_what_is_no_environment_is_the_repositorys_mistake(text: str) -> None:
    with pytest.raises(BuildFailed, match=r"environment\.yml"):
        read_conda_environment(text, "environment.yml")
