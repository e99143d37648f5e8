"""The tests, laid out as the package is."""

import pytest

pytest.register_assert_rewrite("tests.helpers")
