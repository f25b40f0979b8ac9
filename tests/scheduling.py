"""Which tests run in one process, when several processes share the suite."""

from xdist.scheduler import LoadScopeScheduling


class ByInstallation(LoadScopeScheduling):
    """Keeps together what shares fixtures that are dear to make: a folder of `tests/system`, else a file."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder.startswith("tests/system/") else file
