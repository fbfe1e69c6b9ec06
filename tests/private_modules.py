"""A contract for import-linter: no room imports a private module of another room.

Its own contracts cannot say that: in their expressions a wildcard stands for a whole name, and ``_*`` is none.
"""

from importlinter import Contract, ContractCheck, fields, output
from importlinter.application import contract_utils


class PrivateModulesContract(Contract):
    """Each room, a direct subpackage of the root, keeps its modules with a leading underscore to itself."""

    type_name = "private_modules"

    ignore_imports = fields.SetField(subfield=fields.ImportExpressionField(), required=False)

    def check(self, graph, verbose):
        """Every direct import of a module that is private in another room."""
        ignored = contract_utils.remove_ignored_imports_and_report(
            graph=graph,
            ignore_imports=self.ignore_imports,  # pyright: ignore[reportArgumentType]
            unmatched_alerting=contract_utils.AlertLevel.ERROR,
        )
        found = [
            (importer, imported)
            for imported in sorted(graph.modules)
            if _is_private(imported)
            for importer in sorted(graph.find_modules_that_directly_import(imported))
            if _room(importer) != _room(imported)
        ]
        return ContractCheck(kept=not found, warnings=list(ignored.warnings), metadata={"imports": found})

    def render_broken_contract(self, check):
        for importer, imported in check.metadata["imports"]:
            output.print_error(f"{importer} imports {imported}, which is private in its room")


def _is_private(module):
    return any(part.startswith("_") and not part.startswith("__") for part in module.split("."))


def _room(module):
    return module.split(".")[:2]
