/* SPDX-License-Identifier: GPL-2.0-only */
/* Are values as an interface's text has them? */
#ifndef _CONFORM_H
#define _CONFORM_H

#include <jansson.h>

/* To be kept for ever; ends the program, saying why, if the text cannot be read. */
void conform_begin(const char *path);
/*
 * What is wrong with @value as what @method takes (@reply false) or returns, or as an error's
 * parameters (@method its name, without the interface's); NULL: nothing. Fields that the text does
 * not have are wrong, too.
 */
const char *conform_method(const char *method, bool reply, const json_t *value);
const char *conform_error(const char *error, const json_t *value);

/* A method of those in the text, and parameters for it that are as it has them, mostly. */
const char *conform_any_method(unsigned int *seed);
json_t *conform_any_params(const char *method, unsigned int *seed);

#endif /* _CONFORM_H */
