"""The built website, for the tests that read it: `pytestmark = pytest.mark.usefixtures("site")`."""

from built_site import address, browser, site

__all__ = ["address", "browser", "site"]
