"""A repository's files → the plan of its environment."""

import pytest

from binder_federation.binder.errors import BuildFailed, UnsupportedRepository
from binder_federation.cluster_agent.stacks.local.buildpack import (
    EnvironmentPlan,
    RepositoryFiles,
    plan_environment,
)


def plan(folder: str = "", **texts: str) -> EnvironmentPlan:
    """The plan for files whose names are spelt with `_` for `.`."""
    names = {name.replace("_", "."): text for name, text in texts.items()}
    return plan_environment(RepositoryFiles(folder=folder, texts=names))


def test_a_repository_without_any_file_gets_the_base_environment() -> None:
    assert plan() == EnvironmentPlan(requirements_file="requirements.txt")
    assert not plan().needs_install


def test_requirements() -> None:
    made = plan("binder", requirements_txt="# tools\nsix\nJinja2>=3  # templates\n-r more.txt\n")
    assert made.requirements_file == "binder/requirements.txt"
    assert made.requirements == ("# tools", "six", "Jinja2>=3  # templates", "-r more.txt")
    assert made.named_packages == {"six", "jinja2"}
    assert made.needs_install


def test_an_environment_yml_goes_before_requirements() -> None:
    made = plan(environment_yml="dependencies: [python=3.12, six=1.16]", requirements_txt="xlrd")
    assert made.requirements == ("six==1.16.*",)
    assert made.is_translated
    assert (made.python, made.python_file) == ("3.12", "environment.yml")


def test_the_spelling_environment_yaml_is_taken_too() -> None:
    assert plan(".binder", environment_yaml="dependencies: [six]").requirements == ("six",)


@pytest.mark.parametrize(
    ("files", "installs_project"),
    [
        ({"setup_py": ""}, True),
        ({"setup_py": "", "requirements_txt": "six"}, True),
        ({"pyproject_toml": "[project]\nname = 'x'\n"}, True),
        ({"pyproject_toml": "[build-system]\nrequires = []\n"}, True),
        ({"pyproject_toml": "[project]\nname = 'x'\n", "requirements_txt": "six"}, False),
        ({"pyproject_toml": "[tool.black]\nline-length = 90\n"}, False),
        ({"setup_py": "", "environment_yml": "dependencies: [six]"}, False),
        ({"requirements_txt": "six"}, False),
        ({"folder": "binder", "setup_py": ""}, False),
    ],
)
def test_when_the_project_itself_is_installed(
    files: dict[str, str], installs_project: bool
) -> None:
    assert plan(**files).installs_project is installs_project


@pytest.mark.parametrize(
    ("text", "python"),
    [("python-3.11\n", "3.11"), ("python-3.10.4", "3.10"), ("python", None), ("\n", None)],
)
def test_runtime(text: str, python: str | None) -> None:
    assert plan(runtime_txt=text).python == python


@pytest.mark.parametrize("text", ["python3.11", "3.11", "python-3", "julia-1.6", "python-3.11 x"])
def test_a_runtime_that_is_none_is_named(text: str) -> None:
    with pytest.raises(BuildFailed, match=r"^binder/runtime\.txt must name a runtime"):
        plan("binder", runtime_txt=text)


def test_the_environments_python_goes_before_the_runtime() -> None:
    made = plan(environment_yml="dependencies: [python=3.12]", runtime_txt="python-3.10")
    assert made.python == "3.12"


@pytest.mark.parametrize(
    ("folder", "name", "text", "what"),
    [
        ("", "Dockerfile", "FROM x", "an image of its own"),
        ("binder", "Dockerfile", "FROM x", "an image of its own"),
        ("", "apt.txt", "ffmpeg\n", "packages of the operating system"),
        ("", "install.R", "", "R"),
        ("", "DESCRIPTION", "Package: x", "R"),
        ("", "runtime.txt", "r-4.2-2023-01-01", "R"),
        ("", "Project.toml", "", "Julia"),
        ("", "REQUIRE", "julia 1.0", "Julia"),
        ("", "default.nix", "", "Nix"),
        ("", "conda-lock.yml", "", "a conda lock file"),
        ("", "Pipfile", "", "pipenv"),
        (".binder", "Pipfile.lock", "{}", "pipenv"),
    ],
)
def test_what_this_stack_cannot_do_is_named(folder: str, name: str, text: str, what: str) -> None:
    files = RepositoryFiles(folder=folder, texts={name: text, "requirements.txt": "six"})
    with pytest.raises(UnsupportedRepository) as refused:
        plan_environment(files)
    file = f"{folder}/{name}" if folder else name
    assert refused.value.message.startswith(f"{file} asks for {what}.")
    assert "Docker or the Kubernetes stack" in refused.value.message


def test_what_decides_nothing_is_not_refused() -> None:
    assert plan(apt_txt="# none\n\n", requirements_txt="six").requirements == ("six",)
    assert plan("binder", DESCRIPTION="x", requirements_txt="six").requirements == ("six",)
    assert plan(environment_yml="dependencies: [six]", Pipfile="").requirements == ("six",)


def test_scripts() -> None:
    made = plan("binder", postBuild="#!/bin/sh\n", start="#!/bin/sh\n")
    assert (made.post_build, made.start) == ("binder/postBuild", "binder/start")


def test_a_broken_pyproject_is_the_repositorys_mistake() -> None:
    with pytest.raises(BuildFailed, match=r"pyproject\.toml is not valid TOML"):
        plan(pyproject_toml="[project\n")
