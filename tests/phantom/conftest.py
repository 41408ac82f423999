import pytest

from strokediff.phantom import make_phantom

MATRIX = 96


@pytest.fixture(scope="session")
def infarct():
    return make_phantom("infarct", (3, 0), matrix=MATRIX)


@pytest.fixture(scope="session")
def haemorrhage():
    return make_phantom("hemorrhage", (3, 1), matrix=MATRIX, thickness_mm=5.0)
