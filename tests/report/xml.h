/* xml.h - is a text well-formed XML? */
#ifndef TESTS_REPORT_XML_H
#define TESTS_REPORT_XML_H

/* What is wrong with the text, NULL if nothing: tags close in order, values are quoted, & begins an entity, < stands for nothing else. */
const char *wrong_xml(const char *p, const char *end);

#endif
