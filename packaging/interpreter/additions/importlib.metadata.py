# ruff: noqa: F821
# Added to importlib.metadata: the distributions that are frozen in, of which there are no folders to find.
class _FrozenDistribution(Distribution):
    def __init__(self, text):
        self._text = text

    def read_text(self, filename):
        return self._text if filename == "METADATA" else None

    def locate_file(self, path):
        raise FileNotFoundError(f"{path}: frozen into the program")


class _FrozenDistributions(DistributionFinder):
    def find_spec(self, fullname, path=None, target=None):
        return None  # the modules are found by the interpreter itself

    def find_distributions(self, context):
        import _distributions

        wanted = context.name and Prepared.normalize(context.name)
        for text in _distributions.METADATA:
            found = _FrozenDistribution(text)
            if not wanted or found._normalized_name == wanted:
                yield found


sys.meta_path.append(_FrozenDistributions())
