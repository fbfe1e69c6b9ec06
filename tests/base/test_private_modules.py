"""The contract by which ``make test`` keeps rooms from importing each other's private modules."""

import grimp
import pytest
from importlinter.domain.helpers import MissingImport

from private_modules import PrivateModulesContract


def check(*imports, **options):
    graph = grimp.ImportGraph()
    for importer, imported in imports:
        for module in (importer, imported):
            graph.add_module(module)
        graph.add_import(importer=importer, imported=imported, line_number=1, line_contents="")
    contract = PrivateModulesContract("rooms", {"root_packages": ["house"]}, options)
    return contract, contract.check(graph, False)


def test_a_private_module_of_another_room_is_named(capsys):
    broken = ("house.hall.door", "house.cellar._wine")
    contract, found = check(broken, ("house.hall.door", "house.cellar.jam"), ("house.cellar.jam", "house.cellar._wine"))
    assert not found.kept
    assert found.metadata["imports"] == [broken]
    contract.render_broken_contract(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "house.hall.door imports house.cellar._wine, which is private in its room" in said


def test_a_module_in_a_private_folder_is_private_too_and_dunders_are_not():
    assert not check(("house.hall", "house.cellar._shelf.wine"))[1].kept
    assert check(("house.hall", "house.__main__"))[1].kept


def test_an_exception_is_named_and_has_to_be_needed():
    broken = ("house.hall", "house.cellar._wine")
    assert check(broken, ignore_imports=["house.hall -> house.cellar._wine"])[1].kept
    with pytest.raises(MissingImport, match="No matches for ignored import"):
        check(broken, ignore_imports=["house.attic -> house.cellar._wine"])
