"""Programs for tests, put together as the options of a command line are."""

from ess.engines.rowwise import compile_rowwise
from ess.language.checker import check_expression, check_filter, fit
from ess.language.program import Evaluate, Filter, Program, Variable, Write
from ess.language.scope import Scope
from ess.schema import parse_column
from ess.schema.batch import make_batch


class Chain:
    """A program under construction, over columns and rows."""

    def __init__(self, *specs):
        self.scope = Scope()
        self.inputs = tuple(self.scope.add(parse_column(spec, where="-d")) for spec in specs)
        self.created = []
        self.variables = []

    def variable(self, spec, initial):
        slot = self.scope.add(parse_column(spec, where="-var"), variable=True)
        self.variables.append(Variable(slot, initial))
        return slot

    def new(self, spec):
        self.created.append(self.scope.add(parse_column(spec, where="-eval")))

    def set(self, name, text):
        slot = self.scope.find(name)
        node = check_expression(text, self.scope, where="-eval")
        return Evaluate(slot, fit(node, slot.type, where="-eval"))

    def filter(self, text):
        return Filter(check_filter(text, self.scope, where="-filt"))

    def write(self, sink, *names):
        return Write(sink, tuple(self.scope.find(name) for name in names))

    def runner(self, *rules, **more):
        return compile_rowwise(Program(self.inputs, tuple(self.created), tuple(self.variables), rules, **more))

    def batch(self, *rows):
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self.inputs)
        return make_batch([(s.key, s.type, list(c)) for s, c in zip(self.inputs, columns, strict=True)], len(rows))
