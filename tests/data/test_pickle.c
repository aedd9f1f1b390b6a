#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/pickle.h"
#include "util/file.h"
#include "util/rng.h"

#define CORPUS "tests/corpus/data/pickle"
#define BYTES(text) text, sizeof text - 1

/* What numpy writes, of protocol 2; the dtype is left in place 9 of the memo. */
#define TYPE(code, order) "cnumpy\ndtype\nX\2\0\0\0" code "\x89\x88\x87Rr\1\0\0\0(K\3X\1\0\0\0" order "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
#define EMPTY "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85" "C\1b\x87R"
#define ARRAY(shape, type, fortran, data) EMPTY "(K\1" shape type fortran data "tb"
#define F2 TYPE("f2", "<")
#define OBJECTS TYPE("O8", "|")
#define BUFFER "cnumpy.core.numeric\n_frombuffer\n("

/* From a block that ends where the bytes end, so that a byte too many is seen. The text of the series, or of the error. */
static const char *decode(const void *bytes, size_t n, char *out, size_t size, Err *e)
{
    Decoded d = {0};
    char *p = malloc(n + !n);
    if (!p) return "no memory for the test";
    memcpy(p, bytes, n);
    *e = (Err){0};
    if (pickle_decode(&d, p, n, e)) snprintf(out, size, "%s", e->message);
    else series_text(&d, out, size);
    decoded_free(&d);
    free(p);
    return out;
}

#define MIXED "[1,2.5,nan,1,-7,70000,9.2233720368547758e+18,1.1805916207174113e+21] [1,2,3] [0.5,-0.5] [1.5,-2,1]"
#define ROWS "[1,2.5,-3] [4,nan,inf]"
#define NUMPY1 "[1,2.5,-3] [0,1,2] [4,nan,inf]"
#define OBJECT_ROWS "[1,2.5,-3] [1,nan] [2]"
#define PYTHON2 "[1,2652,39] [1.5,-2] [4,1.1805916207174113e+21,1,7,1.5]"

/* Written by CPython 2.7 and 3.11 with numpy 1.16, 1.26 and 2.4, the digit is the protocol; python2_0 and python2_2 by hand. */
static const struct { const char *name, *series; } files[] = {
    {"mixed_0.pkl", MIXED}, {"mixed_1.pkl", MIXED}, {"mixed_2.pkl", MIXED}, {"mixed_3.pkl", MIXED}, {"mixed_4.pkl", MIXED}, {"mixed_5.pkl", MIXED},
    {"numpy1_0.pkl", NUMPY1}, {"numpy1_2.pkl", NUMPY1}, {"numpy1_4.pkl", NUMPY1}, {"numpy1_5.pkl", NUMPY1},
    {"rows_4.pkl", ROWS}, {"fortran_4.pkl", ROWS}, {"fortran_5.pkl", ROWS}, {"objects_0.pkl", OBJECT_ROWS}, {"objects_5.pkl", OBJECT_ROWS},
    {"python2_numpy_0.pkl", PYTHON2}, {"python2_numpy_1.pkl", PYTHON2}, {"python2_numpy_2.pkl", PYTHON2},
    {"python2_0.pkl", "[1,2652,39]"}, {"python2_2.pkl", "[1.5,-2] [4]"}, {"big_endian_5.pickle", "[1,-2,3]"}, {"dict_2.pkl", "[1,0]"},
    {"numbers_0.pkl", "[0.10000000000000001,nan,-inf,1,1,-5,1e+30]"}, {"several.pkl", "[1,2] [3.5] [4] [] [5] [6]"}, {"axes_5.pkl", "[1]"},
    {"bad_system.pkl", "byte 33: posix.system is refused: a pickle may name only what makes numpy arrays: save lists, dicts and numpy arrays"},
    {"bad_eval.pkl", "byte 2: __builtin__.eval is refused: a pickle may name only what makes numpy arrays: save lists, dicts and numpy arrays"},
    {"bad_class.pkl", "byte 26: __main__.C is refused: a pickle may name only what makes numpy arrays: save lists, dicts and numpy arrays"},
    {"bad_pandas.pkl", "byte 32: pandas.DataFrame is refused: an object of pandas: save its columns as a list of numpy arrays, or write a .csv"},
    {"bad_dates.pkl", "byte 113: a dtype \"M8\": read are b1, i1 to i8, u1 to u8, f2 to f8 and O"},
    {"bad_cycle.pkl", "series 0, point 1: found a list, expected a number"}, {"bad_self.pkl", "series 0, point 0: found a list, expected a number"},
    {"bad_laughs.pkl", "series 0, point 0: found a list, expected a number"}, {"bad_deep.pkl", "series 0, point 0: found a list, expected a number"},
    {"bad_text.pkl", "series 0, point 1: found a text, expected a number"}, {"bad_set.pkl", "byte 13: EMPTY_SET makes a set, which has no order: save a list"},
    {"bad_memo.pkl", "byte 3: LONG_BINPUT puts a value into place 4294967295, after 3 opcodes"},
    {"bad_length.pkl", "byte 2: BYTEARRAY8 wants 9223372036854775807 bytes, 3 are left: is the file complete?"},
    {"bad_stack.pkl", "byte 2: STOP finds 2 values on the stack, expected one"}, {"bad_cut.pkl", "byte 133: the pickle ends before STOP: is the file complete?"},
};
enum { NFILES = sizeof files / sizeof *files };

TEST(pickle_reads_files_of_python)
{
    Err e = {0};
    char got[1024];
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    for (int i = 0; i < NFILES; i++) {
        const char *path = path_to(CORPUS, files[i].name);
        Map m;
        CHECK(source_sniff(path) == &format_pickle);
        OK(map_open(&m, path, &e));
        decode(m.p, m.n, got, sizeof got, &e);
        map_close(&m);
        TEXT(got, files[i].series);
        CHECK(!e.code == (strncmp(files[i].name, "bad_", 4) != 0));
    }
}

TEST(pickle_corpus_is_refused_or_read)
{
    Names names;
    Err e = {0};
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    OK(dir_list(&names, CORPUS, &e));
    CHECK(names.n >= NFILES);
    for (int i = 0; i < names.n; i++) {
        Source s;
        const char *path = path_to(CORPUS, names.name[i]);
        if (source_open(&s, source_sniff(path), path, NULL, &e)) CHECK(e.code == FTS_FORMAT);
        else source_close(&s);
    }
    names_free(&names);
}

static const struct { const char *bytes; size_t n; const char *series; } good[] = {
    {BYTES("]."), ""}, {BYTES(")."), ""}, {BYTES("](e."), ""}, {BYTES("(l(lK\1aa."), "[1]"}, {BYTES("](]]e."), "[] []"},
    {BYTES("\x80\5\x95\xff\xff\xff\xff\xff\xff\xff\xff]\x95\0\0\0\0\0\0\0\0K\1a."), "[1]"},                       /* frames that lie */
    {BYTES("(K\1K\2t."), "[1,2]"}, {BYTES("N\x85."), "[nan]"}, {BYTES("K\1N\x86."), "[1,nan]"}, {BYTES("K\1K\2K\3\x87."), "[1,2,3]"},
    {BYTES("(K\1" "2lK\0" "0."), "[1,1]"}, {BYTES("](K\7K\7" "1K\1a."), "[1]"}, {BYTES("(K\1(K\2" "1K\3l."), "[1,3]"},
    {BYTES("]q\0h\0" "0K\1a."), "[1]"}, {BYTES("]r\0\0\0\0j\0\0\0\0" "0K\1a."), "[1]"}, {BYTES("]p0\ng0\n0K\1a."), "[1]"}, {BYTES("]\x94(h\0K\1" "1K\1a."), "[1]"},
    {BYTES("](J\xff\xff\xff\xffM\xff\xffK\xffJ\0\0\0\x80" "e."), "[-1,65535,255,-2147483648]"},
    {BYTES("](I-12\nI01\nI00\nL-5L\nL7\nL36893488147419103232L\ne."), "[-12,1,0,-5,7,3.6893488147419103e+19]"},
    {BYTES("](\x8a\0\x8a\1\xff\x8a\2\xff\0\x8a\x09\0\0\0\0\0\0\0\x80\0\x8b\1\0\0\0\x7f" "e."), "[0,-1,255,9.2233720368547758e+18,127]"},
    {BYTES("](\x8a\x0a\1\0\x08\0\0\0\0\0\0\1\x8a\x0a\0\0\x08\0\0\0\0\0\0\1e."), "[4.7223664828696463e+21,4.7223664828696452e+21]"},          /* half of an ulp and a bit; a tie */
    {BYTES("](\x8a\x0a\2\0\0\0\0\0\0\0\0\0\x8a\x0a\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff" "e."), "[2,-2]"},                    /* with bytes that say nothing */
    {BYTES("](F1e-05\nFinf\nF-inf\nFnan\nG\x3f\xf8\0\0\0\0\0\0\x88\x89" "e."), "[1.0000000000000001e-05,inf,-inf,nan,1.5,1,0]"},
    {BYTES("(S'target'\n](K\1ed."), "[1]"}, {BYTES("}S'seq\\x75\\145nce'\n](K\1es."), "[1]"}, {BYTES("}(Vs\\u0065quence\n](K\1eu."), "[1]"},
    {BYTES("}(V\\\\u0065\nNV\\U0001f600\xe9\nNX\6\0\0\0target)u."), "[]"},
    {BYTES("}(\x8c\6target](K\1eT\6\0\0\0target](K\2eu."), "[2]"},                                                    /* the last one counts */
    {BYTES("}\x8d\x08\0\0\0\0\0\0\0sequenceK\1\x85s."), "[1]"}, {BYTES("}U\x08sequenceK\1\x85s."), "[1]"},
    {BYTES("}(B\1\0\0\0xN\x8e\1\0\0\0\0\0\0\0yNC\6target]u."), "[]"}, {BYTES("ccollections\nOrderedDict\n)RX\6\0\0\0target]s."), "[]"},
    {BYTES(ARRAY("K\2\x85", F2, "\x89", "C\4\0\x3c\0\xc0") "."), "[1,-2]"}, {BYTES(EMPTY "(K\2\x85" F2 "I00\nC\4\0\x3c\0\xc0tb."), "[1,-2]"},
    {BYTES(ARRAY("K\2\x85", TYPE("u2", ">"), "\x89", "C\4\1\0\0\1") "."), "[256,1]"}, {BYTES(ARRAY("K\2\x85", TYPE("b1", "|"), "\x89", "C\2\0\2") "."), "[0,1]"},
    {BYTES(ARRAY("K\2K\3\x86", TYPE("i1", "|"), "\x88", "C\6\1\2\3\4\5\6") "."), "[1,3,5] [2,4,6]"},
    {BYTES(ARRAY("K\3K\0\x86", F2, "\x89", "C\0") "."), "[] [] []"}, {BYTES(ARRAY("K\0K\3\x86", F2, "\x88", "c__builtin__\nbytes\n)R") "."), ""},
    {BYTES(ARRAY("K\1\x85", F2, "\x89", "c_codecs\nencode\nX\2\0\0\0\0<X\6\0\0\0latin1\x86R") "."), "[1]"},
    {BYTES(ARRAY("K\1\x85", TYPE("u1", "|"), "\x89", "c_codecs\nencode\nX\2\0\0\0\xc3\xbfX\6\0\0\0latin1\x86R") "."), "[255]"},
    {BYTES(ARRAY("K\2\x85", OBJECTS, "\x89", "](K\1Ne") "."), "[1,nan]"}, {BYTES(ARRAY("K\2K\2\x86", OBJECTS, "\x88", "](K\1K\2K\3K\4e") "."), "[1,2] [3,4]"},
    {BYTES(EMPTY "."), ""},
    {BYTES(ARRAY("K\1\x85", OBJECTS, "\x89", "](K\1eq\1") "q\2" "0h\1K\2a0h\2."), "[1]"},     /* the list grows behind the back of the array */
    {BYTES(BUFFER "\x96\2\0\0\0\0\0\0\0\0<" F2 "K\1\x85X\1\0\0\0CtR."), "[1]"}, {BYTES(BUFFER "C\4\1\2\3\4" TYPE("u1", "|") "K\2K\2\x86X\1\0\0\0FtR."), "[1,3] [2,4]"},
    {BYTES(BUFFER "C\6\1\2\3\4\5\6" TYPE("u1", "|") "K\2K\3\x86X\1\0\0\0KK\1K\0\x86tR."), "[1,4] [2,5] [3,6]"},
    {BYTES(BUFFER "C\6\1\2\3\4\5\6" TYPE("u1", "|") "K\2K\3\x86X\1\0\0\0KK\0K\1\x86tR."), "[1,2,3] [4,5,6]"},
    {BYTES("cnumpy.core.multiarray\nscalar\n" F2 "C\2\0<\x86R\x85."), "[1]"},
    {BYTES("]K\1a.]K\2a."), "[1] [2]"}, {BYTES("].]."), "[] []"},
};

TEST(pickle_reads_opcodes)
{
    Err e = {0};
    char got[1024];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) TEXT(decode(good[i].bytes, good[i].n, got, sizeof got, &e), good[i].series);
}

TEST(pickle_refuses_what_could_act)
{
    static const struct { unsigned char code; const char *message; } refused[] = {
        {0x69, "INST makes an object of a class"}, {0x6f, "OBJ makes an object of a class"}, {0x81, "NEWOBJ makes an object of a class"},
        {0x92, "NEWOBJ_EX makes an object of a class"}, {0x82, "EXT1 makes an object of a class"}, {0x83, "EXT2 makes an object of a class"},
        {0x84, "EXT4 makes an object of a class"}, {0x50, "PERSID asks for data outside the pickle"}, {0x51, "BINPERSID asks for data outside the pickle"},
        {0x97, "NEXT_BUFFER asks for data outside the pickle"}, {0x98, "READONLY_BUFFER asks for data outside the pickle"},
        {0x8f, "EMPTY_SET makes a set"}, {0x90, "ADDITEMS makes a set"}, {0x91, "FROZENSET makes a set"},
        {0x00, "0x00 is no opcode of a pickle"}, {0x99, "0x99 is no opcode of a pickle"}, {0xff, "0xff is no opcode of a pickle"},
    };
    static const char *const name[][2] = {
        {"os", "system"}, {"posix", "system"}, {"nt", "system"}, {"builtins", "eval"}, {"__builtin__", "eval"}, {"builtins", "exec"}, {"builtins", "getattr"},
        {"builtins", "__import__"}, {"subprocess", "Popen"}, {"copyreg", "_reconstructor"}, {"copy_reg", "_reconstructor"}, {"operator", "attrgetter"},
        {"torch._utils", "_rebuild_tensor_v2"}, {"pandas.core.frame", "DataFrame"}, {"numpy.core.multiarray", "fromstring"}, {"numpy", "load"},
        {"numpy.matrixlib.defmatrix", "matrix"}, {"numpy.dtype", ""}, {"", ""}, {"numpy ", "dtype"}, {"numpy", "dtype "}, {"collections", "defaultdict"}, {"", "numpy.dtype"},
    };
    Err e = {0};
    char got[1024], want[128], bytes[128];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int n = snprintf(bytes, sizeof bytes, "](K%c%cmodule%cname%c.", 1, refused[i].code, '\n', '\n');
        snprintf(want, sizeof want, "byte 4: %s", refused[i].message);
        decode(bytes, (size_t)n, got, sizeof got, &e);
        got[strlen(want)] = 0;
        TEXT(got, want);
    }
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(want, sizeof want, "byte 0: %s.%s is refused: ", name[i][0], name[i][1]);
        int n = snprintf(bytes, sizeof bytes, "c%s\n%s\n(K\1tR.", name[i][0], name[i][1]);
        decode(bytes, (size_t)n, got, sizeof got, &e);
        CHECK(!strncmp(got, want, strlen(want)) && e.code == FTS_FORMAT);
        n = snprintf(bytes, sizeof bytes, "\x80\4\x8c%c%s\x8c%c%s\x93)R.", (int)strlen(name[i][0]), name[i][0], (int)strlen(name[i][1]), name[i][1]);
        decode(bytes, (size_t)n, got, sizeof got, &e);
        CHECK(strstr(got, want + 6) && e.code == FTS_FORMAT);
    }
    TEXT(decode(BYTES("ctorch._utils\n_rebuild_tensor_v2\n"), got, sizeof got, &e),
         "byte 0: torch._utils._rebuild_tensor_v2 is refused: a tensor of torch: save a list of tensor.numpy(), or one array with numpy.save");
    TEXT(decode(BYTES("cnumpy.ma.core\n\x01\xe9\n"), got, sizeof got, &e),
         "byte 0: numpy.ma.core.?? is refused: of numpy only plain arrays of numbers, lists of them and scalars are read");
}

static const struct { const char *bytes; size_t n; const char *message; } broken_bytes[] = {
    {BYTES(""), "byte 0: the pickle ends before STOP: is the file complete?"},
    {BYTES("].]"), "byte 3: the pickle ends before STOP: is the file complete?"},
    {BYTES("].\n"), "byte 2: 0x0a is no opcode of a pickle"},
    {BYTES("\x80\6."), "byte 0: the pickle is of protocol 6, known are 0 to 5"},
    {BYTES("."), "byte 0: STOP finds 0 values on the stack, expected one"},
    {BYTES("(."), "byte 1: STOP finds 1 values on the stack, expected one"},
    {BYTES("0"), "byte 0: POP wants a value, none is there"},
    {BYTES("1"), "byte 0: POP_MARK wants a mark, none is there"},
    {BYTES("(2"), "byte 1: DUP wants 1 value, found 0"},
    {BYTES("N(\x85"), "byte 2: TUPLE1 wants 1 value, found 0"},
    {BYTES("NN\x87"), "byte 2: TUPLE3 wants 3 values, found 2"},
    {BYTES("Na"), "byte 1: APPEND adds to nothing, expected a list"},
    {BYTES(")Na"), "byte 2: APPEND adds to a tuple, expected a list"},
    {BYTES("(Na"), "byte 2: APPEND adds to a mark, expected a list"},
    {BYTES("]Ne"), "byte 2: APPENDS wants a mark, none is there"},
    {BYTES("(Ne"), "byte 2: APPENDS adds to nothing, expected a list"},
    {BYTES("](NNu"), "byte 4: SETITEMS adds to a list, expected a dict"},
    {BYTES("}(Nu"), "byte 3: SETITEMS finds a key without a value"},
    {BYTES("(NNNd"), "byte 4: DICT finds a key without a value"},
    {BYTES("h\0"), "byte 0: BINGET asks for place 0, where nothing was put"},
    {BYTES("]q\1h\0"), "byte 3: BINGET asks for place 0, where nothing was put"},
    {BYTES("]q\1.h\1."), "byte 4: BINGET asks for place 1, where nothing was put"},
    {BYTES("M\1"), "byte 0: BININT2 wants 2 bytes, 1 are left: is the file complete?"},
    {BYTES("]r\3\0\0\0"), "byte 1: LONG_BINPUT puts a value into place 3, after 2 opcodes"},
    {BYTES("]p99999999999999999999\n"), "byte 1: PUT is followed by 1e+20, which is no place"},
    {BYTES("]p-1\n"), "byte 1: PUT is followed by -1, which is no place"},
    {BYTES("]px\n"), "byte 1: PUT is followed by what is no whole number"},
    {BYTES("(q\0"), "byte 1: BINPUT wants 1 value, found 0"},
    {BYTES("\x94"), "byte 0: MEMOIZE wants 1 value, found 0"},
    {BYTES("I\n"), "byte 0: INT is followed by what is no whole number"},
    {BYTES("I-\n"), "byte 0: INT is followed by what is no whole number"},
    {BYTES("I1.5\n"), "byte 0: INT is followed by what is no whole number"},
    {BYTES("L1_0L\n"), "byte 0: LONG is followed by what is no whole number"},
    {BYTES("I1"), "byte 0: the file ends in the line behind INT: is it complete?"},
    {BYTES("F1x\n"), "byte 0: FLOAT is followed by what is no number"},
    {BYTES("F\n"), "byte 0: FLOAT is followed by what is no number"},
    {BYTES("G\0\0\0"), "byte 0: BINFLOAT wants 8 bytes, 3 are left: is the file complete?"},
    {BYTES("\x8b\xff\xff\xff\xff\0"), "byte 0: LONG4 wants 4294967295 bytes, 1 are left: is the file complete?"},
    {BYTES("T\xff\xff\xff\xff\0"), "byte 0: BINSTRING wants 4294967295 bytes, 1 are left: is the file complete?"},
    {BYTES("\x8d\xff\xff\xff\xff\xff\xff\xff\xffx"), "byte 0: BINUNICODE8 wants 18446744073709551615 bytes, 1 are left: is the file complete?"},
    {BYTES("Sx\n"), "byte 0: STRING is followed by a text without its quotes"},
    {BYTES("S'\n"), "byte 0: STRING is followed by a text without its quotes"},
    {BYTES("S'\\x4'\n"), "byte 0: STRING is followed by a text with \\x and no two digits behind it"},
    {BYTES("V\\u00\n"), "byte 0: UNICODE is followed by a text with \\u that is no character"},
    {BYTES("V\\U00110000\n"), "byte 0: UNICODE is followed by a text with \\U that is no character"},
    {BYTES("NN\x93"), "byte 2: STACK_GLOBAL wants two texts, found None and None"},
    {BYTES("N)R"), "byte 2: REDUCE calls None with a tuple, expected a function and a tuple"},
    {BYTES("cnumpy\ndtype\nNR"), "byte 14: REDUCE calls a function with None, expected a function and a tuple"},
    {BYTES("cnumpy\nndarray\n)R"), "byte 16: REDUCE calls numpy.ndarray, which is refused"},
    {BYTES("cnumpy\ndtype\n)R"), "byte 14: dtype gets what numpy does not write"},
    {BYTES("cnumpy._core.multiarray\n_reconstruct\nNNN\x87R"), "byte 41: _reconstruct gets what numpy does not write"},
    {BYTES("cnumpy._core.multiarray\n_reconstruct\nccollections\nOrderedDict\nNN\x87R"), "byte 65: _reconstruct gets what numpy does not write"},
    {BYTES("cnumpy\ndtype\nX\3\0\0\0f16NN\x87R"), "byte 24: a dtype \"f16\": read are b1, i1 to i8, u1 to u8, f2 to f8 and O"},
    {BYTES("cnumpy\ndtype\nX\4\0\0\0bf16NN\x87R"), "byte 25: a dtype \"bf16\": read are b1, i1 to i8, u1 to u8, f2 to f8 and O"},
    {BYTES("cnumpy\ndtype\nX\2\0\0\0f2NN\x87R(K\2NNNNNNNtb"), "byte 35: the state of a dtype gets what numpy does not write"},
    {BYTES("cnumpy\ndtype\nX\2\0\0\0f2NN\x87R(K\3NNNNNNNtb"), "byte 35: the state of a dtype gets what numpy does not write"},
    {BYTES("cnumpy\ndtype\nX\2\0\0\0f2NN\x87R(K\3C\1<]NNNNNtb"), "byte 37: a dtype of several fields: save arrays of numbers"},
    {BYTES("])b"), "byte 2: BUILD gives a tuple to a list, expected a tuple for an array or a dtype"},
    {BYTES("cnumpy\ndtype\nX\2\0\0\0f2NN\x87R]b"), "byte 25: BUILD gives a list to a dtype, expected a tuple for an array or a dtype"},
    {BYTES(EMPTY ")b"), "byte 60: the state of an array gets what numpy does not write"},
    {BYTES("c_codecs\nencode\nX\3\0\0\0\xe2\x82\xacX\6\0\0\0latin1\x86R"), "byte 36: a character beyond 255 where bytes are encoded"},
    {BYTES("c_codecs\nencode\nX\1\0\0\0\xc2X\6\0\0\0latin1\x86R"), "byte 34: a character beyond 255 where bytes are encoded"},
    {BYTES("c_codecs\nencode\nX\1\0\0\0xX\3\0\0\0hex\x86R"), "byte 31: encode gets what numpy does not write"},
    {BYTES("cbuiltins\nbytes\nN\x85R"), "byte 18: bytes gets what numpy does not write"},
    {BYTES("ccollections\nOrderedDict\n]\x85R"), "byte 27: OrderedDict gets arguments"},
};

TEST(pickle_broken_bytes_are_named)
{
    Err e = {0};
    char got[1024];
    for (size_t i = 0; i < sizeof broken_bytes / sizeof *broken_bytes; i++) {
        TEXT(decode(broken_bytes[i].bytes, broken_bytes[i].n, got, sizeof got, &e), broken_bytes[i].message);
        CHECK(e.code == FTS_FORMAT);
    }
}

/* The place differs with the macros, so the message is looked for behind it. */
static const struct { const char *bytes; size_t n; const char *message; } broken_values[] = {
    {BYTES("\x1f\x8b\x08"), "packed by gzip: unpack it first"},
    {BYTES("PK\3\4\0"), "a zip archive, as torch.save writes: save a list of numpy arrays with pickle, or numpy.savez"},
    {BYTES(ARRAY("K\2\x85", F2, "\x89", "C\3\0\0\0") "."), ": an array whose bytes do not fit its shape"},
    {BYTES(ARRAY("K\1\x85", F2, "\x89", "C\3\0\0\0") "."), ": an array whose bytes do not fit its shape"},
    {BYTES(ARRAY("K\1\x85", F2, "\x89", "X\2\0\0\0ab") "."), ": an array whose bytes do not fit its shape"},
    {BYTES(ARRAY("K\1\x85", F2, "\x89", "]") "."), ": an array whose bytes do not fit its shape"},
    {BYTES(ARRAY("K\2\x85", OBJECTS, "\x89", "](Ne") "."), ": an array whose list does not fit its shape"},
    {BYTES(ARRAY("K\1\x85", OBJECTS, "\x89", "C\1a") "."), ": an array whose list does not fit its shape"},
    {BYTES(ARRAY("J\xff\xff\xff\xff\x85", F2, "\x89", "C\0") "."), ": the state of an array gets what numpy does not write"},
    {BYTES(ARRAY("\x8a\7\0\0\0\0\0\0\x10\x8a\7\0\0\0\0\0\0\x10\x86", F2, "\x89", "C\0") "."), ": the state of an array gets what numpy does not write"},
    {BYTES(ARRAY("G\x3f\xf8\0\0\0\0\0\0\x85", F2, "\x89", "C\0") "."), ": the state of an array gets what numpy does not write"},
    {BYTES(ARRAY("K\0\x85", "N", "\x89", "C\0") "."), ": the state of an array gets what numpy does not write"},
    {BYTES(ARRAY("\x8a\6\0\0\0\0\0\x10K\0\x86", F2, "\x89", "C\0") "."), ": too many points or series for a file of this size: it repeats the same values"},
    {BYTES(BUFFER "C\1a" F2 "K\1\x85X\1\0\0\0CtR."), ": an array whose bytes do not fit its shape"},
    {BYTES(BUFFER "C\2ab" F2 "K\1\x85X\1\0\0\0XtR."), ": _frombuffer gets what numpy does not write"},
    {BYTES(BUFFER "](NNe" OBJECTS "K\2\x85X\1\0\0\0CtR."), ": _frombuffer gets what numpy does not write"},
    {BYTES(BUFFER "C\2ab" F2 "K\1K\1\x86X\1\0\0\0KNtR."), ": _frombuffer gets what numpy does not write"},
    {BYTES("cnumpy.core.multiarray\nscalar\n" F2 "C\3abc\x86R."), ": scalar gets what numpy does not write"},
    {BYTES("cnumpy.core.multiarray\nscalar\n" OBJECTS "](Ne\x86R."), ": scalar gets what numpy does not write"},
    {BYTES(ARRAY(")", F2, "\x89", "C\2\0\0") "."), "series 0: found an array of 0 dimensions, expected one, or two in an array that is all of the pickle"},
    {BYTES(ARRAY("K\1K\1K\1\x87", F2, "\x89", "C\2\0\0") "."), "series 0: found an array of 3 dimensions, expected one, or two in an array that is all of the pickle"},
    {BYTES("]" ARRAY("K\1K\1\x86", F2, "\x89", "C\2\0\0") "a."), "series 0: found an array of 2 dimensions, expected one, or two in an array that is all of the pickle"},
    {BYTES(ARRAY("K\1K\1\x86", OBJECTS, "\x89", "](]e") "."), "series 0, point 0: found a list, expected a number"},
    {BYTES("K\1."), "series 0: found a number, expected a list or an array of numbers"},
    {BYTES("N."), "series 0: found None, expected a list or an array of numbers"},
    {BYTES("X\1\0\0\0a."), "series 0: found a text, expected a list or an array of numbers"},
    {BYTES("cnumpy\ndtype\n."), "series 0: found a function, expected a list or an array of numbers"},
    {BYTES(F2 "."), "series 0: found a dtype, expected a list or an array of numbers"},
    {BYTES("](]K\1e."), "series 1: found a number, expected a list or an array of numbers"},
    {BYTES("](K\1C\1ae."), "series 0, point 1: found bytes, expected a number"},
    {BYTES("](NNNcnumpy\ndtype\ne."), "series 0, point 3: found a function, expected a number"},
    {BYTES("}."), "series 0: a dict without \"sequence\" or \"target\""},
    {BYTES("]}a."), "series 0: a dict without \"sequence\" or \"target\""},
    {BYTES("}(U\6target]U\x08sequence]u."), "series 0: a dict with both \"sequence\" and \"target\""},
    {BYTES("}U\6target}s."), "series 0: found a dict, expected a list or an array of numbers"},
    {BYTES("]K\1a.](K\1]e."), "series 1, point 1: found a list, expected a number"},
    {BYTES("](]]e.]K\1a."), "series 0, point 0: found a list, expected a number"},
};

TEST(pickle_broken_values_are_named)
{
    Err e = {0};
    char got[1024];
    for (size_t i = 0; i < sizeof broken_values / sizeof *broken_values; i++) {
        decode(broken_values[i].bytes, broken_values[i].n, got, sizeof got, &e);
        size_t n = strlen(got), m = strlen(broken_values[i].message);
        TEXT(n > m ? got + n - m : got, broken_values[i].message);
        CHECK(e.code == FTS_FORMAT);
    }
}

/* A list of `times` references to one list of `n` numbers, or to a dict of n items that ends with an empty series. */
static Str repeated(int n, int times, int dict)
{
    Str s = {0};
    str_add(&s, BYTES("]("));
    str_add(&s, dict ? "}q\1(" : "]q\1(", 4);
    for (int i = 0; i < n; i++) str_add(&s, "NN", dict ? 2 : 1);
    if (dict) str_add(&s, BYTES("U\6target)"));
    str_add(&s, dict ? "u" : "e", 1);
    for (int i = 1; i < times; i++) str_add(&s, BYTES("h\1"));
    str_add(&s, BYTES("e."));
    return s;
}

TEST(pickle_repeated_values_are_counted)
{
    static const struct { int n, times, dict, fine; } row[] = {{1000, 1000, 0, 1}, {60000, 60000, 0, 0}, {10, 1000, 1, 1}, {60000, 60000, 1, 0}};
    Err e = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        Decoded d = {0};
        Str s = repeated(row[i].n, row[i].times, row[i].dict);
        OK(str_ok(&s, &e));
        int bad = pickle_decode(&d, s.p, s.n, &e);
        CHECK(bad == (row[i].fine ? 0 : -1));
        CHECK(bad ? strstr(e.message, "too many points or series") != NULL : d.count == row[i].times && d.n == (row[i].dict ? 0 : (int64_t)row[i].n * row[i].times));
        decoded_free(&d);
        str_free(&s);
    }
}

TEST(pickle_of_a_million_levels_is_refused)
{
    enum { LEVELS = 1000000 };
    Err e = {0};
    char got[256], *p = malloc(2 * LEVELS + 2);
    CHECK(p);
    memset(p, ']', LEVELS + 1);
    memset(p + LEVELS + 1, 'a', LEVELS);
    p[2 * LEVELS + 1] = '.';
    decode(p, 2 * LEVELS + 2, got, sizeof got, &e);
    free(p);
    TEXT(got, "series 0, point 0: found a list, expected a number");
}

TEST(pickle_first_of_other_bytes)
{
    static const char bytes[] = ARRAY("K\2\x85", OBJECTS, "\x89", "](](K\1Ne](K\2ee") ".behind it";
    Err e = {0};
    Decoded d = {0};
    char got[256];
    size_t used = 0;
    OK(pickle_decode_one(&d, BYTES(bytes), &used, &e));
    CHECK(used == sizeof bytes - sizeof "behind it");
    TEXT(series_text(&d, got, sizeof got), "[1,nan] [2]");
    decoded_free(&d);
    CHECK(pickle_decode_one(&d, bytes, used - 1, &used, &e) == -1 && e.code == FTS_FORMAT);
    decoded_free(&d);
}

/* The files of every protocol; NULL behind the last. */
static const char *const real[] = {"mixed_0.pkl", "mixed_1.pkl", "mixed_2.pkl", "mixed_3.pkl", "mixed_4.pkl", "mixed_5.pkl", "objects_0.pkl", "objects_5.pkl", "dict_2.pkl", "python2_0.pkl", NULL};

TEST(pickle_cut_anywhere_is_refused)
{
    Err e = {0};
    char got[1024];
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    for (int i = 0; real[i]; i++) {
        Map m;
        size_t refused = 0;
        OK(map_open(&m, path_to(CORPUS, real[i]), &e));
        size_t all = m.n;
        for (size_t n = 0; n < all; n++) {
            decode(m.p, n, got, sizeof got, &e);
            refused += e.code == FTS_FORMAT && !strncmp(got, "byte ", 5);
        }
        map_close(&m);
        CHECK(all > 100 && refused == all);
    }
}

TEST(pickle_damaged_bytes_are_refused_or_read)
{
    Err e = {0};
    uint64_t used = 0;
    int read = 0, refused = 0;
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    for (int i = 0; real[i]; i++) {
        Map m;
        OK(map_open(&m, path_to(CORPUS, real[i]), &e));
        for (int round = 0; round < 1000; round++) {
            Decoded d = {0};
            unsigned char *now = malloc(m.n);
            CHECK(now);
            memcpy(now, m.p, m.n);
            for (int k = 0; k < 1 + round % 3; k++) {
                uint64_t r = rng_hash(6, RNG_TEST, used++), at = (r & 0xffffffff) % m.n;
                now[at] = r >> 63 ? (unsigned char)(r >> 40) : now[(r >> 32 & 0xffff) % m.n];
            }
            int bad = pickle_decode(&d, now, m.n, &e);
            if (bad) CHECK(e.code == FTS_FORMAT);
            else for (int64_t s = 0; s < d.count; s++) CHECK(d.start[s] >= 0 && d.start[s] <= d.n);
            read += !bad;
            refused += bad;
            decoded_free(&d);
            free(now);
        }
        map_close(&m);
    }
    CHECK(read > 100 && refused < -100);
}

TEST(pickle_no_memory_is_an_error)
{
    Err e = {0};
    if (!path_is_dir(CORPUS)) { test_skip("not run from the root of the project"); return; }
    for (int i = 0; real[i]; i++) {
        Map m;
        int64_t points = 0;
        OK(map_open(&m, path_to(CORPUS, real[i]), &e));
        for (long n = 1; !points; n++) {
            Decoded d = {0};
            test_alloc_fail(n);
            int bad = pickle_decode(&d, m.p, m.n, &e);
            test_alloc_fail(0);
            if (!bad) points = d.n;
            decoded_free(&d);
            CHECK(bad ? e.code == FTS_NOMEM && n < 1000 : n > 5);
        }
        map_close(&m);
    }
}
