"""The public tutorial of the row processor: its commands on its data give what it prints."""

from __future__ import annotations

import io
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from ess.tools import aq_pp, loginf
from ess.tools.process import exit_code

UPPER = "-f,+1 chemistry.csv -d i:id s,up:lastname s:firstname f:chem_mid s:chem_fin"
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
    f"{UPPER} -o -": [
        '"id","lastname","firstname","chem_mid","chem_fin"',
        '1,"DAWSON","Leona",76.5,"B-"',
        '2,"JORDAN","Colin",25.899999999999999,"D"',
        '3,"MALONE","Peter",97.200000000000003,"A+"',
    ],
    f"{UPPER} -eval 'chem_mid' 'chem_mid*0.8'": [
        '"id","lastname","firstname","chem_mid","chem_fin"',
        '1,"DAWSON","Leona",61.200000000000003,"B-"',
        '2,"JORDAN","Colin",20.719999999999999,"D"',
        '3,"MALONE","Peter",77.760000000000005,"A+"',
    ],
    f"{UPPER} -cmb,+1 physics.csv X s,up:lastname s:firstname f:phys_mid s:phys_fin": [
        '"id","lastname","firstname","chem_mid","chem_fin","phys_mid","phys_fin"',
        '1,"DAWSON","Leona",76.5,"B-",88.5,"A"',
        '2,"JORDAN","Colin",25.899999999999999,"D",0,',
        '3,"MALONE","Peter",97.200000000000003,"A+",77.200000000000003,"B"',
    ],
    f"{CHEMISTRY} -eval s:fullname 'ToS(id)+\"-\"+firstname+\" \"+lastname' -eval i:row '$RowNum+1' -c fullname row": [
        '"fullname","row"',
        '"1-Leona Dawson",2',
        '"2-Colin Jordan",3',
        '"3-Peter Malone",4',
    ],
    f"{CHEMISTRY} -filt 'chem_mid > 50.0' -c id": ['"id"', "1", "3"],
    f"{CHEMISTRY} -grep lastname whitelist.csv X FROM": [
        '"id","lastname","firstname","chem_mid","chem_fin"',
        '2,"Jordan","Colin",25.899999999999999,"D"',
    ],
    "-f,eok,div apache.log -d ip:ip sep:' ' s:rlog sep:' ' s:rusr sep:' [' s:time_s sep:'] \"' s,clf:req_line1 sep:' ' "
    "s,clf:req_line2 sep:' ' s,clf:req_line3 sep:'\" ' i:res_status sep:' ' i:res_size sep:' \"' s,clf:referrer "
    "sep:'\" \"' s,clf:user_agent sep:'\"' -eval i:time 'DateToTime(time_s, \"d.b.Y.H.M.S.z\")' -top 3 "
    "-c ip time req_line2 res_status res_size": [  # the page labels the third column by its old name
        '"ip","time","req_line2","res_status","res_size"',
        '54.248.98.72,1416740843,"/",301,0',
        '46.23.67.107,1416740853,"/",301,0',
        '85.17.156.99,1416740863,"/",200,30003',
    ],
    f"{EXAMPLE} -cat,+1 lookup.csv s:grade f:float_2 s:last_name s:first_name s:country "
    "-c float_col country grade float_2": [
        '"float_col","country","grade","float_2"',
        '99.909999999999997,"Philippines",,0',
        '73.609999999999999,"Portugal",,0',
        '45.289999999999999,"Portugal",,0',
        '3.5299999999999998,"Philippines",,0',
        '0,"Philippines","A",12.300000000000001',
        '0,"Portugal","C",96.599999999999994',
        '0,"Portugal","F",89',
        '0,"Philippines","F",57.600000000000001',
    ],
    "-f,+1 exampledata.csv -d s:float_col f:integer_col s:last_name s:first_name s:country "
    "-cmb,+1 lookup.csv s,cmb:float_col f,cmb:integer_col s,key:last_name s,key:first_name s,key:country": [
        '"float_col","integer_col","last_name","first_name","country"',
        '"A",12.300000000000001,"Lawrence","Lois","Philippines"',
        '"C",96.599999999999994,"Hamilton","Evelyn","Portugal"',
        '"F",89,"Wheeler","Sarah","Portugal"',
        '"F",57.600000000000001,"Kelley","Jacqueline","Philippines"',
    ],
    f"{EXAMPLE} -eval last_name 'first_name + \" \" + last_name' -eval integer_col 'float_col * integer_col' "
    "-eval s:mixed_col 'country + \" : \" + ToS(integer_col)' -c last_name mixed_col": [
        '"last_name","mixed_col"',
        '"Lois Lawrence","Philippines : 534518"',
        '"Evelyn Hamilton","Portugal : 91938"',
        '"Sarah Wheeler","Portugal : 378443"',
        '"Jacqueline Kelley","Philippines : 34163"',
    ],
    f"{EXAMPLE} -eval i:minimum 'Min(float_col, integer_col)' -eval i:maximum 'Max(float_col, integer_col)' "
    "-eval i:hash 'SHash(country)' -c minimum maximum hash": [
        '"minimum","maximum","hash"',
        "99,5350,4213117258",
        "73,1249,1264705971",
        "45,8356,1264705971",
        "3,9678,4213117258",
    ],
    "-f,+1 exampledata.csv -d X X s:last_name s:first_name X -mapf,rx last_name '.*' -mapf,rx first_name '.*' "
    "-mapc s:full_name '%%1%% %%0%%' -c full_name": [
        '"full_name"',
        '"Lois Lawrence"',
        '"Evelyn Hamilton"',
        '"Sarah Wheeler"',
        '"Jacqueline Kelley"',
    ],
    "-f,+1 exampledata.csv -d X X X s:first_name X -map,rx first_name '^\\(.\\).*$' '%%1%%.'": [
        '"first_name"',
        '"L."',
        '"E."',
        '"S."',
        '"J."',
    ],
    f"{EXAMPLE} -filt '(float_col > 0) && (float_col <=100)' -if -filt '(float_col > 0) && (float_col <= 25)' "
    "-eval s:quartile '\"FIRST\"' -elif -filt '(float_col > 25) && (float_col <= 50)' -eval quartile '\"SECOND\"' "
    "-elif -filt '(float_col > 50) && (float_col <= 75)' -eval quartile '\"THIRD\"' -else "
    "-eval quartile '\"FOURTH\"' -endif -c quartile": ['"quartile"', '"FOURTH"', '"THIRD"', '"SECOND"', '"FIRST"'],
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


def test_what_loginf_tells_of_the_donations(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(shared / "published" / "etl-engine")
    assert exit_code("loginf", lambda: loginf.main(["-f", "donations.csv", "-o_pp_col", "-"])) == 0
    assert capsysbinary.readouterr().out.decode().splitlines() == ["S:lastname", "S:city", "I:donation"]
