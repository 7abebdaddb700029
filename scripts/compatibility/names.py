"""The names of the reference manuals: options, attributes, functions and other words, and how each is tried here.

Names only; what they mean stands in the manuals. ``shown => tried`` is a name that is tried in another form, e.g. with
a value in the place of its parameter.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Names that stand together in a manual.

    Attributes:
        page: The manual page.
        heading: What they are.
        names: The names, each as ``shown`` or ``shown => tried``.
        tool: For options: whose option table must have them.
        probe: For all else: a command line, run on sample data, with ``{}`` where the name goes.
        functions: Whether they are functions, which the function table must have.
        refuses: Whether the probe fails with a made-up name in that place, as a test makes sure.
    """

    page: str
    heading: str
    names: tuple[str, ...]
    tool: str = ""
    probe: str = ""
    functions: bool = False
    refuses: bool = True


def _words(*texts: str) -> tuple[str, ...]:
    return tuple(word for text in texts for word in text.split())


_IN = "-f in.csv -d S:s I:n"
_REGEX = (
    "ncas",
    "rx",
    "rx_extended",
    "rx_icase",
    "rx_newline",
    "pcre",
    "allow_empty_class",
    "alt_bsux",
    "alt_circumflex",
    "alt_verbnames",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_backslash_c",
    "never_ucp",
    "never_utf",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "utf",
    "anchored",
    "notbol",
    "noteol",
    "notempty",
    "notempty_atstart",
    "no_utf_check",
)
_ESCAPES = (r"\\", r"\"", r"\b", r"\f", r"\n", r"\r", r"\t", r"\v", r"\0", r"\xHH => \x41", "\\<newline> => \\\n")
_ADDRESSES = (
    "File => in.csv",
    "-",
    "fifo@PipeName => fifo@pipe",
    "connect@DomainName:Port => connect@localhost:9",
    "connect@IP4:Port => connect@127.0.0.1:9",
    "connect@[IP6]:Port => connect@[::1]:9",
    "listen@DomainName:Port => listen@localhost:9",
    "listen@IP4:Port => listen@127.0.0.1:9",
    "listen@[IP6]:Port => listen@[::1]:9",
    "listen@Port => listen@9",
)

INPUT_AND_OUTPUT = (
    Group("aq-input", "options", ("-f", "-d"), tool="aq_pp"),
    Group("aq-input", "sources", _ADDRESSES, probe="aq_pp -test -f {} -d S:s", refuses=False),
    Group(
        "aq-input",
        "formats",
        (
            "csv => csv in.csv -d S:s I:n",
            "sep=c => sep=, in.csv -d S:s I:n",
            r"sep=\xHH => sep=\\x2c in.csv -d S:s I:n",
            "sep=c,csv => sep=,,csv in.csv -d S:s I:n",
            "fix => fix in.fix -d S,n=1:s I,n=2,trm:n",
            "div => div in.div -d S:s sep:' [' I:n sep:']'",
            "tab => tab in.html -d S:s I:n",
            "jsn => jsn in.json -d S:s:s I:n:n.k[*]",
            "xml => xml in.xml -d S:s:root.s I:n:root.n",
            "bin => bin in.bin -d S:s I:n",
            "aq => aq in.aq",
        ),
        probe="aq_pp -f,{}",
    ),
    Group(
        "aq-input",
        "attributes of -f",
        (
            "esc",
            "+Num => +1",
            "+Numb => +1b",
            "+Numr => +1r",
            "+Numl => +1l",
            "nox",
            "eok",
            "eok=Num => eok=5",
            "eok=Num/Rows => eok=5/100",
            "qui",
            "qui=Num => qui=3",
            "bz=BufSize => bz=1000",
        ),
        probe="aq_pp -f,{} in.csv -d S:s I:n",
    ),
    Group(
        "aq-input",
        "column types",
        ("S", "F", "L", "LS", "I", "IS", "IP", "X", "X[Type] => XI"),
        probe="aq_pp -f,eok,qui in.csv -d {}:a S:b",
    ),
    Group(
        "aq-input",
        "column attributes",
        ("n=Len => S,n=1", "esc => S,esc", "clf => S,clf", "hex => I,hex", "trm => S,trm", "lo => S,lo", "up => S,up"),
        probe="aq_pp -f,eok,qui in.csv -d {}:s X",
    ),
    Group(
        "aq-input",
        "keys of jsn and xml",
        (
            "KeyName => jsn in.json -d S:s:s",
            "KeyName[Num] => jsn in.json -d I:n:n.k[1]",
            "KeyName[*] => jsn in.json -d I:n:n.k[*]",
            "[Num] => jsn list.json -d I:n:[0].n",
            "[*] => jsn list.json -d I:n:[*].n",
            "base=BaseSpec => jsn,base=n in.json -d I:n:k[*]",
            "blank KeySpec => jsn,base=n.k[*] in.json -d I:n:",
        ),
        probe="aq_pp -f,{}",
        refuses=False,
    ),
    Group("aq-output", "options", ("-o",), tool="aq_pp"),
    Group("aq-output", "destinations", _ADDRESSES, probe="aq_pp -test -f one.csv -d S:s -o {}", refuses=False),
    Group(
        "aq-output",
        "attributes of -o",
        (
            "csv",
            "sep=c => sep=;",
            r"sep=\xHH => sep=\\x3b",
            "jsn",
            "bin",
            "aq",
            "notitle",
            "fmt_g",
            "esc",
            "app",
            "nodelay",
        ),
        probe="aq_pp " + _IN + " -o,{} out",
    ),
)

AQ_PP = (
    Group(
        "aq_pp",
        "options",
        _words(
            "-test -verb -stat -f -d -exp -cnt -cat -seed -var -alias -renam -eval -mapf -mapc -kenc -kdec -filt",
            "-map -sub -grep -cmb -pmod -o -c -ovar -imp -server -local -mod -if -ifnot -elif -elifnot -else",
            "-endif -true -false -skip -quit -quitafter",
        ),
        tool="aq_pp",
    ),
    Group(
        "aq_pp",
        "attributes of -exp and -cnt",
        ("spec=UdbSpec => spec=.conf/wood.spec",),
        probe="aq_pp -test -exp,{} wood:sales --",
    ),
    Group(
        "aq_pp",
        "operators",
        ("+", "-", "*", "/", "%", "&", "|", "^"),
        probe="aq_pp " + _IN + " -eval IS:r 'n {} 2'",
    ),
    Group(
        "aq_pp",
        "comparisons",
        ("==", ">", "<", ">=", "<=", "~==", "~>", "~<", "~>=", "~<=", "!=", "!~="),
        probe="aq_pp " + _IN + " -filt 's {} \"a\"'",
    ),
    Group("aq_pp", "bitwise comparisons", ("&=", "!&=", "&", "!&"), probe="aq_pp " + _IN + " -filt 'n {} 1'"),
    Group(
        "aq_pp",
        "logical operators",
        ("! => !(n == 1)", "|| => (n == 1) || (n == 2)", "&& => (n == 1) && (n == 2)"),
        probe="aq_pp " + _IN + " -filt '{}'",
    ),
    Group(
        "aq_pp",
        "built-in variables",
        ("$Random", "$RowNum", "$CurSec", "$CurUSec"),
        probe="aq_pp " + _IN + " -eval L:r '{}'",
    ),
    Group("aq_pp", "escape sequences of strings", _ESCAPES, probe="aq_pp " + _IN + " -eval s '\"{}\"'", refuses=False),
    Group(
        "aq_pp",
        "attributes of -mapf",
        _REGEX,
        probe="aq_pp " + _IN + " -mapf,{} s a -mapc s b",
    ),
    Group("aq_pp", "attributes of -map", _REGEX, probe="aq_pp " + _IN + " -map,{} s 'a' 'b'"),
    Group(
        "aq_pp",
        "RT patterns of -mapf and -map",
        (
            "%* => a%*",
            "%? => %?",
            "%= => %=A%=",
            "%%Var%% => %%v%%",
            "%%Var:@n%% => a%%v:@n%%",
            "%%Var:@a%% => %%v:@a%%",
            "%%Var:@b%% => %%v:@b%%",
            "%%Var:@c%% => %%v:@c%%",
            "%%Var:@x%% => %%v:@x%%",
            "%%Var:@s%% => %%v:@s%%",
            "%%Var:@g%% => %%v:@g%%",
            "%%Var:@q%% => %%v:@q%%",
            "%%Var:[chars]%% => %%v:[ab]%%",
            "%%Var:min-max%% => %%v:0-3%%",
            "%%Var,brks%% => %%v,:%%",
            r"\% => \%",
        ),
        probe="aq_pp " + _IN + " -mapf s '{}' -mapc S:t 'x'",
        refuses=False,
    ),
    Group(
        "aq_pp",
        "conversions of -mapc",
        ("b64 => :b64", "url => :url", "urlNum => :url2", ":length => :3", ":start:length => :1:3", ",brks => ,:"),
        probe="aq_pp " + _IN + " -mapf s '%%v%%' -mapc S:t '%%v{}%%'",
        refuses=False,
    ),
    Group(
        "aq_pp",
        "columns of -kdec",
        (
            "Type:ColName => I:m",
            "Type:ColName+ => I:m+",
            "ColName => n",
            "ColName+ => n+",
            "Type: => I:",
            "Type:+ => I:+",
        ),
        probe="aq_pp " + _IN + " -kenc S:k s n -kdec k S:t {}",
    ),
    Group(
        "aq_pp",
        "attributes of -sub",
        ("ncas", "pat", "req", "all"),
        probe="aq_pp " + _IN + " -sub,{} s table.csv S:from S:to",
    ),
    Group(
        "aq_pp",
        "columns of -sub",
        ("from => S:from S:to", "to => S:from S:to"),
        probe="aq_pp " + _IN + " -sub s table.csv {}",
        refuses=False,
    ),
    Group(
        "aq_pp", "attributes of -grep", ("ncas", "pat", "rev"), probe="aq_pp " + _IN + " -grep,{} s table.csv S:from X"
    ),
    Group(
        "aq_pp",
        "attributes of -cmb",
        ("ncas", "req", "all", "mrg", "dec => mrg,dec"),
        probe="aq_pp -f one.csv -d S:s I:n -cmb,{} table.csv S:s S:t",
    ),
    Group(
        "aq_pp",
        "column attributes of -cmb",
        ("key => ,key:s S:t", "cmb => :s S,cmb:t"),
        probe="aq_pp " + _IN + " -cmb table.csv S{}",
    ),
    Group(
        "aq_pp",
        "attributes of unwrap_strv",
        ("relax", "noblank"),
        probe="aq_pp " + _IN + ' -pmod \'unwrap_strv("s", ",", "s", "{}")\'',
    ),
    Group(
        "aq_pp",
        "module sources of -pmod",
        ("a Python file => own.py", "a C++ or mcc script => own.cpp", "a compiled module => own.so"),
        probe="aq_pp " + _IN + " -pmod own {}",
    ),
    Group("aq_pp", "attributes of -o and -ovar", ("fvar",), probe="aq_pp " + _IN + " -var S:v '\"out\"' -o,{} v"),
    Group(
        "aq_pp",
        "columns of -c",
        (
            "*",
            "ColName => s",
            "ColName:NewName => s:t",
            "ColName+NumPrintFormat => n+0x%x",
            "ColName:NewName+NumPrintFormat => n:m+%05d",
            "^ColName => * ^n:m",
            "~ColName => ~n",
        ),
        probe="aq_pp " + _IN + " -c {}",
    ),
    Group(
        "aq_pp",
        "attributes of -imp",
        (
            "spec=UdbSpec => spec=.conf/wood.spec",
            "ddef",
            "nodelay",
            "seg=N1[-N2]/N => seg=1-2/4",
            "seg=N1[-N2]/N:V => seg=1-2/4:7",
            "nobnk",
            "nonew",
            "noold",
        ),
        probe="aq_pp -test -f in.csv -d S:user I:n -imp,ddef,{} wood:sales",
    ),
    Group(
        "aq_pp",
        "addresses of -server",
        (
            "IP_or_Domain => 127.0.0.1",
            "IP_or_Domain:Port => 127.0.0.1:10010",
            "IP_or_Domain|IP_or_Domain_Alt => a.example|10.0.0.2",
        ),
        probe="aq_pp -test -f in.csv -d S:user I:n -imp,ddef wood:sales -server '{}'",
        refuses=False,
    ),
    Group("mcc.pmod", "module scripts", ("mcc.pmod scripts => own.pmod",), probe="aq_pp " + _IN + " -pmod own {}"),
)

FUNCTIONS = (
    Group(
        "aq-emod",
        "functions",
        _words(
            "SHash SLeng Ceil Floor Round Abs Min Max Sqrt Cbrt Log Log10 Exp Exp10 Pow IsNaN IsInf BegCmp EndCmp",
            "SubCmp SubCmpAll MixedCmp MixedCmpAll Contain ContainAll PatCmp RxCmp NumCmp SubStr ClipStr StrIndex",
            "RxMap KeyEnc KeyDec QryDec UrlEnc UrlDec Base64Enc Base64Dec ToIP ToF ToI ToS ToUpper ToLower",
            "MaskStr RxReplace RxRep DateToTime GmDateToTime TimeToDate TimeToGmDate IConv KeyHash ImpHash",
            "SegHash Set SearchKey IpToCountry CountryName CountryRegion AgentToUId AgentParse AgentName AgentOS",
            "AgentDevType AgentDevName IsCrawler UNameHash RowCount",
        ),
        functions=True,
    ),
    Group("aq-emod", "attributes of PatCmp", ("ncas",), probe="aq_pp " + _IN + " -filt 'PatCmp(s, \"a*\", {})'"),
    Group(
        "aq-emod",
        "attributes of RxCmp, RxMap, RxReplace and RxRep",
        _REGEX,
        probe="aq_pp " + _IN + " -filt 'RxCmp(s, \"a\", {})'",
    ),
    Group(
        "aq-emod",
        "attributes of StrIndex",
        ("ncas", "back"),
        probe="aq_pp " + _IN + " -eval IS:p 'StrIndex(s, \"a\", {})'",
    ),
    Group(
        "aq-emod", "types of MixedCmp", ("BEG", "END", "SUB"), probe="aq_pp " + _IN + " -filt 'MixedCmp(s, \"a\", {})'"
    ),
    Group(
        "aq-emod",
        "attributes of QryDec",
        ('beg=c => "beg=?"', "zero", 'dec=Num => "dec=2"', 'trm=c => "trm=x"'),
        probe="aq_pp " + _IN + " -eval S:v '\"\"' -eval - 'QryDec(s, {}, v, \"k\")'",
    ),
    Group(
        "aq-emod",
        "codes of DateToTime",
        (
            ". => %Y.%m",
            "%Y",
            "%y",
            "%m",
            "%b",
            "%d",
            "%H",
            "%I",
            "%M",
            "%S",
            *(f"%S{digit}" for digit in range(10)),
            "%p",
            "%z",
        ),
        probe="aq_pp -f,eok,qui blank.csv -d S:s -eval LS:t 'DateToTime(s, \"{}\")'",
    ),
    Group(
        "aq-emod",
        "character sets of IConv",
        ("utf8", "euc-jp", "sjis", "Set,eok => sjis,eok", "Set;. => sjis;.", "Set;- => sjis;-"),
        probe="aq_pp " + _IN + ' -eval S:t \'IConv(s, "{}", "utf8")\'',
    ),
)

TOOLS = (
    Group("aq_cnt", "options", _words("-verb -stat -f -fX -d -k -kx -kX -o"), tool="aq_cnt"),
    Group("aq_cnt", "columns", ("STATS:ColName => STATS:n",), probe="aq_cnt " + _IN + " -kX out k s {}"),
    Group(
        "aq_cnt",
        "column types of -fX",
        ("STAT => STATS",),
        probe="aq_cnt -f,aq in.aq -kX,aq merged.aq k s",
        refuses=False,
    ),
    Group("aq_ord", "options", _words("-verb -stat -f -d -sort -blk -blk_only -o -c"), tool="aq_ord"),
    Group("aq_ord", "attributes of -sort", ("ncas", "dec", "mrg"), probe="aq_ord -f one.csv -d S:s I:n -sort,{} s"),
    Group(
        "aq_ord",
        "block files",
        ("-blk => -blk 1 block", "-blk_only => -blk_only 1 block"),
        probe="aq_ord " + _IN + " -sort s {}",
    ),
    Group("aq_cat", "options", _words("-verb -stat -f -d -o -c"), tool="aq_cat"),
    Group("aq_cat", "columns of -c without -d", ("a number => 2",), probe="aq_cat -f in.csv -c {}"),
    Group("aq_sess", "options", _words("-verb -stat -bz -f -d -t -k -tout -ttol -trim -o"), tool="aq_sess"),
    Group(
        "aq_sess",
        "attributes of -f",
        ("+Num => +1", "eok", "qui", "sep=c => sep=,", "csv", "esc", "noq"),
        probe="aq_sess -f,{} in.csv -d S:s I:n -t n -k s -tout 30",
    ),
    Group(
        "aq_sess",
        "column attributes",
        ("n=Len => n=1", "esc", "clf", "noq", "trm", "lo", "up"),
        probe="aq_sess -f in.csv -d S,{}:s I:n -t n -k s -tout 30",
    ),
    Group(
        "aq_sess",
        "attributes of -o",
        ("notitle", "app", "sep=c => sep=;", "csv", "bin", "esc", "noq", "fmt_g"),
        probe="aq_sess " + _IN + " -t n -k s -tout 30 -o,{} out",
    ),
    Group(
        "loginf",
        "options",
        _words("-verb -cmax -f -lim -d -f_raw -pp_eok -o -b64 -o_raw -o_typ -o_pp_col"),
        tool="loginf",
    ),
    Group(
        "loginf",
        "attributes of -f",
        (
            "+Num => +1",
            "+Numb => +1b",
            "bz=BufSize => bz=1000",
            "lim=RecLimit => lim=5",
            "notitle",
            "csv",
            "sep=c => sep=,",
            "tab",
            "auto",
        ),
        probe="loginf -f,{} in.csv -o out",
    ),
    Group("loginf", "formats of our own", ("bin => bin in.bin", "aq => aq in.aq"), probe="loginf -f,{} -o out"),
)

DATABASE = (
    Group(
        "aq_udb",
        "options",
        _words(
            "-test -verb -stat -server -local -crt -alt -clr -inf -probe -ord -exp -cnt -scn -seed -var -bvar",
            "-eval -filt -goto -del_row -del_key -pp -endpp -mod -sort -lim_key -lim_rec -key_rec -top -o -c -if",
            "-ifnot -elif -elifnot -else -endif",
        ),
        tool="aq_udb",
    ),
    Group(
        "aq_udb",
        "the attribute spec=UdbSpec",
        tuple(
            f"{name} => {name},spec=.conf/wood.spec {target}"
            for name, target in (
                ("-crt", "wood"),
                ("-alt", "wood"),
                ("-clr", "wood:sales"),
                ("-inf", "wood"),
                ("-probe", "wood"),
                ("-ord", "wood:sales page"),
                ("-exp", "wood:sales"),
                ("-cnt", "wood:sales"),
                ("-scn", "wood:sales"),
            )
        ),
        probe="aq_udb -test {}",
        refuses=False,
    ),
    Group("aq_udb", "attributes of -ord", ("ncas", "dec"), probe="aq_udb -test -ord,{} wood:sales page"),
    Group("aq_udb", "attributes of -inf", ("asis",), probe="aq_udb -test -inf,{} wood"),
    Group(
        "aq_udb",
        "attributes of -exp",
        ("asis", "seg=N1[-N2]/N => seg=1/4", "seg=N1[-N2]/N:V => seg=1/4:7"),
        probe="aq_udb -test -exp,{} wood:sales",
    ),
    Group(
        "aq_udb",
        "attributes of -cnt",
        ("asis", "seg=N1[-N2]/N => seg=1/4", "seg=N1[-N2]/N:V => seg=1/4:7"),
        probe="aq_udb -test -cnt,{} wood:sales",
    ),
    Group("aq_udb", "attributes of -sort", ("ncas", "dec"), probe="aq_udb -test -exp wood:sales -sort,{} page"),
    Group(
        "aq_udb",
        "destinations of -goto",
        ("next_key", "next_row"),
        probe="aq_udb -test -exp wood:sales -if -filt 'n > 1' -goto {} -endif",
    ),
    Group(
        "aq_udb",
        "destinations of -goto in -pp",
        ("next_key", "next_row", "proc_key", "next_pp"),
        probe="aq_udb -test -exp wood -pp sales -if -filt 'n > 1' -goto {} -endif -endpp",
    ),
    Group(
        "aq_udb",
        "post= of -del_row",
        ("next_key", "proc_key", "next_row"),
        probe="aq_udb -test -exp wood -pp sales -filt 'n > 1' -del_row,post={} -endpp",
    ),
    Group(
        "aq_udb",
        "post= of -del_key",
        ("next_key",),
        probe="aq_udb -test -exp wood:sales -filt 'n > 1' -del_key,post={}",
    ),
    Group(
        "aq_udb",
        "post= of -pp",
        ("next_key", "proc_key", "next_pp"),
        probe="aq_udb -test -exp wood -pp,post={} sales -bvar total 0 -endpp",
    ),
    Group(
        "aq_udb",
        "columns of -c",
        (
            "*",
            "TabName.* => sales.*",
            "TabName.+ => sales.+",
            "ColName => page",
            "VecName.ColName => profile.flag",
            "ColName:NewName => page:p",
            "ColName+NumPrintFormat => n+0x%x",
            "^ColName => * ^page:p",
            "~ColName => ~page",
        ),
        probe="aq_udb -test -exp wood:sales -c {}",
    ),
    Group(
        "aq_udb",
        "built-in variables",
        ("$Random", "$RowNum", "$CurSec", "$CurUSec"),
        probe="aq_udb -test -exp wood:sales -eval n '{}'",
    ),
    Group(
        "mcc.umod",
        "module scripts",
        ("mcc.umod scripts => own.umod",),
        probe="aq_udb -test -exp wood:sales -mod own {}",
    ),
    Group("udb.spec", "sections", ("@Server:", "@Port:", "@PKey:", "@Table:", "@Vector:", "@Var:"), probe="section {}"),
    Group(
        "udb.spec",
        "column attributes",
        ("+KEY", "+FIRST", "+LAST", "+ADD", "+BOR", "+MIN", "+MAX", "+NOZERO"),
        probe="spec @Table:extra L,{}:extra_column",
    ),
    Group(
        "udb.spec",
        "addresses",
        (
            "*Weight => 127.0.0.1:10011*5",
            "IP_or_Domain|IP_or_Domain_Alt => a.example|10.0.0.2:10013",
            "[IP6]:Port => [::127.0.0.1]:10012",
        ),
        probe="spec @Server: {}",
        refuses=False,
    ),
    Group("udbd", "options", ("-v", "-q", "-mem", "-memx", "-maxfd"), tool="udbd"),
    Group("udbd", "actions", ("start", "stop", "restart", "status", "ckmem"), probe="udbd {}"),
    Group(
        "udbd",
        "ports",
        (
            "Port => 10010",
            "PortStart-PortEnd => 10010-10012",
            "-PortEnd => -10012",
            "PortStart+NumPort => 10010+2",
            "+NumPort => +2",
        ),
        probe="udbd status {}",
        refuses=False,
    ),
    Group("udbd", "environment", ("UDBD_MEM", "UDBD_MAXFD", "UDBD_MEM_MARGIN"), probe="environment {}"),
    Group("udb-size", "estimates", ("Total_storage_per_server => How much memory",), probe="section-of-database {}"),
)

CHANGE_LOGS = (
    Group("ChangeLog", "options of aq_pp since 1.2.4", ("-rx",), tool="aq_pp"),
    Group("ChangeLog", "options of aq_udb since 1.2.4", ("-chk", "-rx"), tool="aq_udb"),
    Group("ChangeLog", "options of aq_pp to be removed", ("-udb", "-ddef"), tool="aq_pp"),
    Group("ChangeLog", "options of aq_udb to be removed", ("-end_of_scan", "-lim_usr"), tool="aq_udb"),
    Group(
        "ChangeLog",
        "to be removed",
        ("next_bucket", "proc_bucket"),
        probe="aq_udb -test -exp wood -pp sales -if -filt 'n > 1' -goto {} -endif -endpp",
    ),
    Group("ChangeLog", "to be removed", ("KDec", "QryParmExt"), functions=True),
    Group(
        "ChangeLog",
        "sources",
        ("socket@IP:Port => socket@127.0.0.1:9", "servers@DbName:port => servers@wood:9"),
        probe="aq_pp -test -test -f {} -d S:s",
    ),
    Group("ChangeLog", "removed options of aq_pp", ("-rownum",), tool="aq_pp"),
    Group("ChangeLog", "removed", ("!ColName => !n",), probe="aq_pp " + _IN + " -c '{}'"),
    Group(
        "ChangeLog-1.2.4",
        "removed",
        ("-evlc => -evlc n 1", "-maprx => -maprx s a b", "-mapfrx => -mapfrx s a"),
        probe="aq_pp " + _IN + " {}",
    ),
    Group(
        "ChangeLog-1.2.4",
        "removed options of aq_pp",
        ("-notitle", "-bz", "-spec", "-db", "-seg", "-nobnk", "-nonew"),
        tool="aq_pp",
    ),
    Group(
        "ChangeLog-1.2.4",
        "removed options of aq_udb",
        ("-exp_usr", "-cnt_usr", "-scn_usr", "-ord_all", "-clr_all", "-dec", "-spec", "-db"),
        tool="aq_udb",
    ),
    Group(
        "ChangeLog-1.2.4",
        "removed",
        (
            "noq of -f => -f,noq in.csv -d S:s I:n",
            "noq of a column => -f in.csv -d S,noq:s I:n",
            "noq of -o => -f in.csv -d S:s I:n -o,noq out",
        ),
        probe="aq_pp {}",
    ),
    Group("ChangeLog-1.2.4", "retired commands", ("logcnv",), probe="command {}"),
    Group("ChangeLog-1.2.3", "replaced commands", ("jsncnv",), probe="command {}"),
    Group("ChangeLog-1.2.3", "column attributes", ("@Index => @2",), probe="aq_pp -f in.csv -d S{}:b"),
    Group("ChangeLog-1.2.3", "options of loginf", ("-o_pp_atr",), tool="loginf"),
    Group("ChangeLog-1.2.3", "removed options of aq_pp", ("-emod", "-m"), tool="aq_pp"),
    Group("ChangeLog-1.2.3", "removed", ("SearchKey2", "AgentParse2"), functions=True),
    Group("ChangeLog-1.2.2", "options of aq_pp", ("-mesg",), tool="aq_pp"),
    Group("ChangeLog-1.2.2", "removed options of aq_pp", ("-tag", "-fileid", "-rx_syntax"), tool="aq_pp"),
    Group(
        "ChangeLog-1.2.2",
        "removed options of aq_udb",
        ("-pp_var", "-pp_evlc", "-pp_filt", "-pp_goto", "-pp_end_of_scan"),
        tool="aq_udb",
    ),
    Group("ChangeLog-1.2.2", "streams with a label", ("-,Label",), probe="aq_pp -test -test -f {} -d S:s"),
)

#: Retired in 1.2.4, and still with a page: what it does is done by attributes of ``-f``.
OBJCNV = (
    Group("objcnv", "command", ("objcnv",), probe="command {}"),
    Group(
        "objcnv",
        "options, as attributes of -f",
        (
            "-jsn => jsn in.json -d S:s:s",
            "-xml => xml in.xml -d S:s:root.s",
            "-base BasSpec => jsn,base=[*] list.json -d I:n:n",
        ),
        probe="aq_pp -f,{}",
    ),
)

GROUPS = (*INPUT_AND_OUTPUT, *AQ_PP, *FUNCTIONS, *TOOLS, *DATABASE, *OBJCNV, *CHANGE_LOGS)
