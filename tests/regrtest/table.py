"""Which modules of CPython's tests are run, and why the others are not.  Names are without their `test_`."""

#: What is compared; a package's parts by themselves where it takes long.
CHOSEN = """
__all__ _colorize _opcode abc abstract_numbers argparse array ast asyncgen asyncio.base_events
asyncio.buffered_proto asyncio.context asyncio.eager_task_factory asyncio.events asyncio.futures
asyncio.futures2 asyncio.locks asyncio.pep492 asyncio.proactor_events asyncio.protocols
asyncio.queues asyncio.runners asyncio.selector_events asyncio.sendfile asyncio.server
asyncio.sock_lowlevel asyncio.ssl asyncio.sslproto asyncio.staggered asyncio.streams
asyncio.subprocess asyncio.taskgroups asyncio.tasks asyncio.threads asyncio.timeouts
asyncio.transports asyncio.unix_events asyncio.waitfor atexit audit augassign base64 baseexception
bdb binascii binop bisect bool buffer bufio builtin bytes bz2 calendar call charmapcodec class cmath
cmd cmd_line cmd_line_script code_module codeccallbacks codecencodings_cn codecencodings_hk
codecencodings_iso2022 codecencodings_jp codecencodings_kr codecencodings_tw codecs codeop
collections colorsys compare compile compileall complex concurrent_futures.as_completed
concurrent_futures.deadlock concurrent_futures.future concurrent_futures.init
concurrent_futures.process_pool concurrent_futures.shutdown concurrent_futures.thread_pool
concurrent_futures.wait configparser contains context contextlib contextlib_async copy copyreg
coroutines cprofile csv ctypes curses dataclasses datetime dbm dbm_dumb dbm_sqlite3 decimal
decorators defaultdict deque descr descrtut dict dictcomps dictviews difflib dis doctest docxmlrpc
dynamic dynamicclassattribute email enum enumerate eof epoll errno except_star exception_group
exception_hierarchy exception_variations exceptions extcall faulthandler fcntl file file_eintr
filecmp fileinput fileio finalization float flufl fnmatch fork1 format fractions frame
free_threading frozen fstring ftplib funcattrs functools future_stmt gc generator_stop generators
genericalias genericclass genericpath genexps getopt getpass gettext glob global grammar graphlib
grp gzip hash hashlib heapq hmac html htmlparser http_cookiejar http_cookies httplib httpservers
imaplib import importlib index inspect int int_literal interpreters io ioctl ipaddress isinstance
iter iterlen itertools json keyword keywordonlyarg largefile linecache list listcomps locale logging
long longexp lzma mailbox marshal math memoryio memoryview metaclass mimetypes minidom mmap module
modulefinder monitoring multibytecodec multiprocessing_main_handling named_expressions netrc ntpath
numeric_tower opcache opcodes openpty operator optparse ordered_dict os pathlib patma pdb peepholer
pep646_syntax pickle picklebuffer pickletools pkg pkgutil platform plistlib poll popen poplib
positional_only_arg posix posixpath pow pprint print profile property pstats pty pulldom pwd
py_compile pyclbr pydoc pyexpat queue quopri raise random range re reprlib resource
richcmp rlcompleter robotparser runpy sax sched scope script_helper secrets select selectors set
setcomps shelve shlex shutil signal slice smtplib socket socketserver sort source_encoding sqlite3
ssl stat statistics str strftime string string_literals stringprep strptime strtod struct structseq
subclassinit subprocess sundry super support symtable syntax sys sys_setprofile sys_settrace syslog
tabnanny tarfile tempfile termios textwrap thread threading threading_local threadsignals time
timeit tokenize tomllib trace traceback tracemalloc tty tuple type_aliases type_annotations
type_cache type_comments type_params typechecks types typing ucn unary unicode_file
unicode_file_functions unicode_identifiers unicodedata unittest univnewlines unpack unpack_ex
unparse urllib urllib2 urllib2_localnet urllib_response urlparse userdict userlist userstring
utf8_mode utf8source uuid wait3 wait4 warnings wave weakref weakset webbrowser with wsgiref
xml_dom_minicompat xml_dom_xmlbuilder xml_etree xml_etree_c xmlrpc yield_from zipapp zipfile
zipimport zipimport_support zlib zoneinfo
""".split()

#: Always run by the tests: quick, and near to what a start must make true again.
SAMPLE = """
asyncio.unix_events dict gc hashlib io json posix random re select set signal socketserver subprocess
thread time weakref zoneinfo
""".split()

#: Reason -> modules that are left out.
LEFT_OUT = {
    "for other systems": """
        android apple asdl_parser devpoll kqueue launcher msvcrt _osx_support osx_env startfile
        winapi winconsoleio winreg winsound wmi
    """.split(),
    "needs extension modules of CPython's own tests (_testcapi, _testinternalcapi...) from its "
    "first line, or is about them; a static program cannot load them": """
        capi code compiler_assemble compiler_codegen dict_version external_inspection fileutils
        getpath _interpchannels _interpreters optimizer perfmaps stable_abi_ctypes xxlimited
        xxtestfuzz
    """.split(),
    "needs CPython's build or source tree, a C compiler, gdb, dtrace or perf": """
        cext clinic cppext dtrace embed gdb generated_cases lltrace peg_generator perf_profiler
        tools
    """.split(),
    "windows and IDLE, which the program leaves out": """
        idle tcl tkinter ttk ttk_textonly turtle
    """.split(),
    "modules that the program leaves out: ensurepip, venv, readline, the GNU dbm": """
        dbm_gnu dbm_ndbm ensurepip readline sysconfig venv
    """.split(),
    "site is not imported in the program": """
        site
    """.split(),
    "other hosts of the network": """
        codecmaps_cn codecmaps_hk codecmaps_jp codecmaps_kr codecmaps_tw smtpnet timeout urllib2net
        urllibnet
    """.split(),
    "much memory, disk or time (regrtest's resources largefile, walltime, cpu)": """
        bigaddrspace bigmem eintr threadedtempfile xpickle zipfile64
    """.split(),
    "ten minutes and more of processes for each start method; concurrent_futures has all three "
    "methods, too": """
        multiprocessing_fork multiprocessing_forkserver multiprocessing_spawn
    """.split(),
    "needs hypothesis": """
        math_property
    """.split(),
    "locales of the C library, of which a static program has only C": """
        _locale c_locale_coercion
    """.split(),
    "CPython's own prompt: the program has another": """
        pyrepl repl
    """.split(),
    "tests of the test runner itself": """
        regrtest
    """.split(),
}

#: Module -> single tests that are left out, by the start of their ids, each with its reason.
TESTS_LEFT_OUT = {
    "cmd_line_script": {
        "test.test_cmd_line_script.CmdLineTest.test_repl": "wait for CPython's own prompt",
    },
    "interpreters": {
        "test.test_interpreters.test_api.LowLevelTests.test_exec": (
            "hangs where a subinterpreter does not find the package test"
        ),
    },
}

#: Tests whose outcomes differ, and must, for what a snapshot is.
BY_DESIGN = {
    "test.test_importlib.test_util.IncompatibleExtensionModuleRestrictionsTests"
    ".test_complete_multi_phase_init_module": (
        "imports in another interpreter, where the image's modules are not (snapshot/README.md, Hazards)"
    ),
    "test.test_array.MiscTest.test_does_not_crash_on_broken_imports": (
        "wants the module array not to have been imported yet"
    ),
    "test.test_logging.FormatterTest.test_relativeCreated_has_higher_precision": (
        "puts another clock in place before it imports logging"
    ),
    **dict.fromkeys(
        (
            "test.test_threading.ThreadTests.test_main_thread_after_fork_from_dummy_thread",
            "test.test_threading.ThreadTests.test_main_thread_after_fork_from_foreign_thread",
        ),
        "want the former main thread's object to be gone; objects of the image never go",
    ),
    **dict.fromkeys(
        (
            "test.test_hash.BytesHashRandomizationTests.test_randomized_hash",
            "test.test_hash.DatetimeDateTests.test_randomized_hash",
            "test.test_hash.DatetimeDatetimeTests.test_randomized_hash",
            "test.test_hash.DatetimeTimeTests.test_randomized_hash",
            "test.test_hash.MemoryviewHashRandomizationTests.test_randomized_hash",
            "test.test_hash.StrHashRandomizationTests.test_randomized_hash",
        ),
        "hashes have the image's seed (packaging/interpreter/snapshot/README.md, Security)",
    ),
}
