from __future__ import annotations

import pytest
from troposphere import Ref

from archlib.components.containers.image import Image
from archlib.core.component import Check
from archlib.core.values import encode

DIGEST = f"sha256:{'0' * 64}"


def problems(image: Image | str, *, internet: bool = False) -> list[str]:
    check = Check("service 'orders'")
    Image.of(image).check(check, "image", internet=internet)
    return [problem.message for problem in check.problems]


@pytest.mark.parametrize(
    ("uri", "repository"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1.4", "ecr:eu-west-1:123456789012:repository/orders"),
        (f"123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b@{DIGEST}", "ecr:us-east-1:123456789012:repository/a/b"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/x:1", "ecr:cn-north-1:123456789012:repository/x"),
    ],
)
def test_text_tells_its_repository_in_ecr(uri: str, repository: str) -> None:
    found = Image.of(uri)

    assert found.uri == uri
    assert encode(found.repository_arn) == {"Fn::Sub": f"arn:${{AWS::Partition}}:{repository}"}
    assert problems(uri) == []


@pytest.mark.parametrize("uri", ["nginx:1.27", "public.ecr.aws/nginx/nginx:1.27", "ghcr.io/a/b:2"])
def test_other_registries_need_the_internet(uri: str) -> None:
    (found,) = problems(uri)

    assert "image must be in ECR" in found
    assert f"got '{uri}'; copy it to a repository, or set internet to true" in found
    assert problems(uri, internet=True) == []


@pytest.mark.parametrize("uri", ["orders", "orders:latest", "registry:5000/orders", "orders:", "or ders:1", ""])
def test_an_image_is_pinned(uri: str) -> None:
    (found,) = problems(uri, internet=True)

    assert "image must be a name with a tag other than latest, or with a digest" in found


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        ("Orders:1", "write 'orders:1'"),
        (f"registry.example.com/orders:{'a' * 129}", "shorten the tag to 128 characters"),
        ("orders:1:2", ""),
        ("a//b:1", ""),
        ("https://registry.example.com/orders:1", ""),
        (f"orders@sha256:{'0' * 63}", ""),
        ("orders:-1", ""),
    ],
)
def test_a_malformed_image_is_refused(uri: str, advice: str) -> None:
    (found,) = problems(uri, internet=True)

    assert found.endswith(f"got {uri!r}; {advice}" if advice else f"got {uri!r}")


@pytest.mark.parametrize("uri", [f"a:{'b' * 128}", "registry:5000/a__b/c-d:1_2", f"a:latest@{DIGEST}"])
def test_all_forms_of_an_image_are_taken(uri: str) -> None:
    assert problems(uri, internet=True) == []


def test_a_reference_needs_its_repository() -> None:
    assert len(problems(Image(Ref("Uri")))) == 1
    assert problems(Image(Ref("Uri"), Ref("Arn"))) == []


def test_a_repository_that_is_given_stays() -> None:
    given = Image("123456789012.dkr.ecr.eu-west-1.amazonaws.com/orders:1.4", "arn:mine")

    assert Image.of(given) is given
