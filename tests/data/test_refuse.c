/* test_refuse.c - what is no data says what it is instead. */
#include <stdio.h>
#include <string.h>

#include "support.h"
#include "test.h"

#include "data/refuse.h"
#include "data/source.h"

/* Texts are written into a folder under their names, and no format sees its own in them. */
TEST(refuse_says_why_a_file_is_no_data)
{
    static const struct { const char *name, *text, *says; } files[] = {
        {"book.xlsx", "PK\3\4", ": not a file that can be read: a workbook: save its sheet as CSV"}, {"old.XLS", "x", ": not a file that can be read: a workbook: save its sheet as CSV"},
        {"a.csv.gz", "\x1F\x8B", ": not a file that can be read: a packed file: unpack it first"}, {"a.parquet", "PAR1", ": not a file that can be read: a Parquet file: write it as .csv or .arrow first"},
        {"a.txt", "date,a\n", ": not a file that can be read: text under another name: a table of text goes by .csv"}, {"a", "1\n", ": not a file that can be read: looked for folders with "},
        {"a.json", "{\"target\": [1]}", " (json): line 1, column 1: an object, expected an array of series: objects with \"target\" go one a line into a .jsonl file"}, {"b.json", "", " (json): line 1, column 1: the text ends, expected an array"},
        {"a.yaml", "lr: 1\n", " (yaml): line 1, column 1: a mapping without \"sequence\" or \"target\""}, {"b.yml", "", " (yaml): line 1, column 1: the text ends, expected a list of series: is the file empty?"},
        {"c.yaml", "%FOO bar\n---\n- [1]\n", " (yaml): line 1, column 5: found unknown directive name while scanning a directive"},
        {"d.yaml", "%YAML 2.0\n---\n- [1]\n", " (yaml): line 1, column 1: found incompatible YAML document"},
        {"e.yaml", "%TAG !e! tag:e,2000:\n%TAG !e! tag:e,2001:\n---\n- [1]\n", " (yaml): line 2, column 1: found duplicate %TAG directive"},
        {"f.yaml", "- [1\n", " (yaml): line 2, column 1: did not find expected ',' or ']' while parsing a flow sequence"},
        {"a.feather", "FEA1", " (arrow): "},
    };
    const char *dir = test_folder();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        Err e = {0};
        const char *path = put_text(dir, files[i].name, files[i].text);
        CHECK(!source_sniff(path) || strstr(files[i].name, "f.yaml"));
        CHECK(refuse_path(path, &e) == -1 && e.code == FTS_FORMAT);
        if (strncmp(e.message, path, strlen(path)) || strncmp(e.message + strlen(path), files[i].says, strlen(files[i].says))) test_fail(__FILE__, __LINE__, "%s: '%s'", files[i].name, e.message);
    }
    Err e;
    CHECK(refuse_path(path_to(dir, "nowhere.csv"), &e) == -1 && e.code == FTS_IO);
    CHECK(refuse_path(dir, &e) == -1 && strstr(e.message, ": not a folder that can be read: looked for "));
}

TEST(refuse_knows_what_is_no_text)
{
    static const struct { const char *bytes; size_t n; int other; } begins[] = {
        {"PK\3\4", 4, 1}, {"PK\3", 3, 0}, {"\x1F\x8B", 2, 1}, {"\xFF\xFE" "a\0", 4, 1}, {"d\0a\0", 4, 1}, {"\0d\0a", 4, 1}, {"\xEF\xBB\xBF" "date", 7, 0}, {"date,a\n", 7, 0}, {"", 0, 0}, {"PARIS,a\n", 8, 0}, {"a\0\0\0", 4, 0},
    };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) CHECK(!refuse_bytes(begins[i].bytes, begins[i].n) == !begins[i].other);
}

TEST(refuse_not_what_has_its_name_in_capitals)
{
    Source s;
    Err e = {0};
    const char *path = put_text(test_folder(), "SALES.CSV", "a\n1\n2\n");
    CHECK(source_sniff(path) == &format_csv);
    OK(source_open(&s, &format_csv, path, NULL, &e));
    CHECK(s.count == 1 && s.length[0] == 2);
    source_close(&s);
}
