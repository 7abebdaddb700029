"""The public tutorial of the row processor: its commands on its data give what it prints."""

from __future__ import annotations

import io
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from ess.tools import aq_pp
from ess.tools.process import exit_code

CHEMISTRY = "-f,+1 chemistry.csv -d i:id s:lastname s:firstname f:chem_mid s:chem_fin"
EXAMPLE = "-f,+1 exampledata.csv -d f:float_col i:integer_col s:last_name s:first_name s:country"
CASES = {
    f"{CHEMISTRY} -cat,+1 physics.csv i:id s:lastname s:firstname f:phys_mid s:phys_fin -c id phys_mid chem_fin": [
        '"id","phys_mid","chem_fin"',
        '1,0,"B-"',
        '2,0,"D"',
        '3,0,"A+"',
        "1,88.5,",
        "3,77.200000000000003,",
        "4,55.799999999999997,",
    ],
    f"{CHEMISTRY} -cmb,+1 physics.csv i:id X X f:phys_mid s:phys_fin -c id phys_mid phys_fin": [
        '"id","phys_mid","phys_fin"',
        '1,88.5,"A"',
        "2,0,",
        '3,77.200000000000003,"B"',
    ],
    f"{CHEMISTRY} -sub,+1,pat chem_fin grades.csv -c id chem_fin": [
        '"id","chem_fin"',
        '1,"PASS"',
        '2,"FAIL"',
        '3,"PASS"',
    ],
    f"{CHEMISTRY} -mapf,rx_extended firstname '^(.{{3}})' -mapf,rx_extended lastname '(.{{3}})$' "
    "-mapc s:nickname %%1%%%%2%% -c nickname": ['"nickname"', '"Leoson"', '"Coldan"', '"Petone"'],
    f"{CHEMISTRY} -grep,ncas lastname whitelist.csv X FROM -c lastname": ['"lastname"', '"Jordan"', '"Malone"'],
    f"{CHEMISTRY} -if -grep lastname whitelist.csv X FROM -eval chem_mid 'chem_mid*2' -endif -c chem_mid": [
        '"chem_mid"',
        "76.5",
        "51.799999999999997",
        "97.200000000000003",
    ],
    "-f zip.csv -d s:zip -map,rx_extended zip '([0-9]{5})' zip=%%1%%": ['"zip"', *['"zip=91101"'] * 3],
    "-f,+1 sales.csv -d s:date s:currency f:amount -cmb,+1 exchange.csv s:currency f:rate -var f:sum 0.0 "
    "-eval sum 'sum+(amount*rate)' -ovar -": ['"sum"', "1720.7214538000001"],
    f"{EXAMPLE} -sub last_name lookup.csv TO X FROM X X -c last_name": ['"last_name"', '"A"', '"C"', '"F"', '"F"'],
    f"{EXAMPLE} -cmb,+1 lookup.csv s:grade f:float_2 s:last_name s:first_name s:country -c grade float_2": [
        '"grade","float_2"',
        '"A",12.300000000000001',
        '"C",96.599999999999994',
        '"F",89',
        '"F",57.600000000000001',
    ],
    f"{EXAMPLE} -var f:sum 0 -var f:n 0 -eval sum 'sum + float_col' -eval n 'n + 1' "
    "-eval f:average 'sum / n' -c average": [
        '"average"',
        "99.909999999999997",
        "86.759999999999991",
        "72.936666666666653",
        "55.584999999999994",
    ],
    "-f,+1 exampledata.csv -d X X X s:first_name X -map first_name '%%initial:@nab:1-1%%%*' '%%initial%%.'": [
        '"first_name"',
        '"L."',
        '"E."',
        '"S."',
        '"J."',
    ],
}


@pytest.mark.parametrize("engine", ["row", "auto"])
@pytest.mark.parametrize("command", CASES, ids=range(len(CASES)))
def test_example(
    command: str,
    engine: str,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    folder = tmp_path / "etl"
    shutil.copytree(shared / "published" / "etl-engine", folder)
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ESS_ENGINE", engine)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    code = exit_code("aq_pp", lambda: aq_pp.main(shlex.split(command)))
    out, err = capsysbinary.readouterr()
    assert (code, err.decode()) == (0, "")
    assert out.decode().splitlines() == CASES[command]
