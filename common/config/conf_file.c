//  The file behind the settings: one YAML document of nested maps. libyaml reads it whole; what is
//  walked here is a tree with line numbers.
#include "common/config/conf_inside.h"


#include <yaml.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct walk {
    fl_conf *conf;
    yaml_document_t *document;
    fl_why *why;
} walk;

static unsigned long
s_line(const yaml_node_t *node)
{
    return (unsigned long)node->start_mark.line + 1;
}

//  True when some key lies below `prefix`: "round" for "round.window".
static bool
s_is_section(const fl_program *program, const char *prefix)
{
    size_t length = strlen(prefix);
    for (uint32_t i = 0; i < program->setting_count; i++) {
        const char *key = program->settings[i].key;
        if (strncmp(key, prefix, length) == 0 && key[length] == '.') {
            return true;
        }
    }
    return false;
}

//  Compare with whole keys and with each section, so that a wrong section is found as well.
static fl_status
s_unknown(walk *self, const char *key, const yaml_node_t *node)
{
    const fl_program *program = self->conf->program;
    char sections[FL_CONF_SETTINGS_MAX][FL_CONF_NAME_MAX];
    char hint[96];
    fl_nearest nearest = { 0 };
    for (uint32_t i = 0; i < program->setting_count; i++) {
        fl_nearest_try(&nearest, key, program->settings[i].key);
        (void)snprintf(sections[i], sizeof sections[i], "%s", program->settings[i].key);
        for (char *dot = strrchr(sections[i], '.'); dot != NULL; dot = strrchr(sections[i], '.')) {
            *dot = '\0';
            fl_nearest_try(&nearest, key, sections[i]);
        }
    }
    fl_nearest_say(&nearest, hint);
    return fl_fail(FL_MALFORMED, self->why, "%s:%lu: unknown key '%s'%s", self->conf->file,
                   s_line(node), key, hint);
}

static fl_status
s_put(walk *self, const char *key, const yaml_node_t *node, int index, const char *text)
{
    const fl_conf_value *value = &self->conf->values[index];
    unsigned long line = s_line(node);
    if (value->source == FL_CONF_FROM_FILE) {
        return fl_fail(FL_MALFORMED, self->why, "%s:%lu: '%s' was set on line %lu already",
                       self->conf->file, line, key, value->line);
    }
    return fl_conf_set(self->conf, index, text, FL_CONF_FROM_FILE, line, self->why);
}

static fl_status
s_scalar(walk *self, const char *key, const yaml_node_t *node, int index)
{
    const char *text = (const char *)node->data.scalar.value;
    unsigned long line = s_line(node);
    if (strlen(text) != node->data.scalar.length) {
        return fl_fail(FL_MALFORMED, self->why, "%s:%lu: '%s' holds a zero byte", self->conf->file,
                       line, key);
    }
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)) {
        return fl_fail(FL_MALFORMED, self->why,
                       "%s:%lu: '%s' has no value; give one or remove the line", self->conf->file,
                       line, key);
    }
    return s_put(self, key, node, index, text);
}

//  [0.1, 0.001] as "0.1, 0.001".
static fl_status
s_sequence(walk *self, const char *key, const yaml_node_t *node, int index)
{
    char text[2 * FL_CONF_TEXT_MAX] = "";
    size_t used = 0;
    const yaml_node_item_t *item = node->data.sequence.items.start;
    for (; item < node->data.sequence.items.top && used < FL_CONF_TEXT_MAX; item++) {
        const yaml_node_t *number = yaml_document_get_node(self->document, *item);
        const char *digits = (const char *)number->data.scalar.value;
        bool whole = number->type == YAML_SCALAR_NODE && digits[0] != '\0' &&
                     strlen(digits) == number->data.scalar.length;
        int length = snprintf(text + used, FL_CONF_TEXT_MAX, "%s%s", used == 0 ? "" : ", ",
                              whole ? digits : "?");
        used += (size_t)length;
    }
    return s_put(self, key, node, index, text);
}

static fl_status s_map(walk *self, const char *prefix, const yaml_node_t *map);

static fl_status
s_pair(walk *self, const char *prefix, const yaml_node_pair_t *pair)
{
    const yaml_node_t *name = yaml_document_get_node(self->document, pair->key);
    const yaml_node_t *node = yaml_document_get_node(self->document, pair->value);
    const fl_program *program = self->conf->program;
    char key[2 * FL_CONF_NAME_MAX];
    if (name->type != YAML_SCALAR_NODE) {
        return fl_fail(FL_MALFORMED, self->why, "%s:%lu: a key must be a word", self->conf->file,
                       s_line(name));
    }
    int length = snprintf(key, sizeof key, "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".",
                          (const char *)name->data.scalar.value);
    int index = fl_conf_find(program, key);
    bool section = s_is_section(program, key);
    if (length >= (int)sizeof key || (index == FL_CONF_NO_SETTING && !section)) {
        return s_unknown(self, key, name);
    }
    if (node->type == YAML_SCALAR_NODE && index != FL_CONF_NO_SETTING) {
        return s_scalar(self, key, node, index);
    }
    if (node->type == YAML_SEQUENCE_NODE && index != FL_CONF_NO_SETTING &&
        program->settings[index].type == FL_CONF_NUMBERS) {
        return s_sequence(self, key, node, index);
    }
    if (node->type == YAML_MAPPING_NODE && section) {
        return s_map(self, key, node);
    }
    return fl_fail(FL_MALFORMED, self->why, "%s:%lu: '%s' must be %s", self->conf->file,
                   s_line(node), key, section ? "a map of settings" : "a single value");
}

//  The depth is bounded by the keys of the table, so a document that contains itself ends as an
//  unknown key.
static fl_status
s_map(walk *self, const char *prefix, const yaml_node_t *map)
{
    const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
    for (; pair < map->data.mapping.pairs.top; pair++) {
        FL_TRY(s_pair(self, prefix, pair));
    }
    return FL_OK;
}

static fl_status
s_document(fl_conf *conf, yaml_parser_t *parser, fl_why *why)
{
    yaml_document_t document;
    fl_status status = FL_OK;
    if (!yaml_parser_load(parser, &document)) {
        if (parser->error == YAML_MEMORY_ERROR) {
            return fl_fail(FL_NOMEM, why, "%s: out of memory", conf->file);
        }
        unsigned long line = (unsigned long)parser->problem_mark.line + 1;
        //  What libyaml says of a tab names no tab.
        bool token = parser->problem != NULL && strstr(parser->problem, "any token") != NULL;
        return fl_fail(FL_MALFORMED, why, "%s:%lu: not YAML: %s%s", conf->file, line,
                       parser->problem == NULL ? "unreadable" : parser->problem,
                       token ? "; is there a tab? Indent with spaces, quote what is no plain word"
                             : "");
    }
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    walk self = { .conf = conf, .document = &document, .why = why };
    if (root != NULL && root->type != YAML_MAPPING_NODE) {
        status = fl_fail(FL_MALFORMED, why, "%s:%lu: must be a map of settings", conf->file,
                         s_line(root));
    } else if (root != NULL) {
        status = s_map(&self, "", root);
    }
    yaml_document_delete(&document);
    return status;
}

fl_status
fl_conf_read_text(fl_conf *self, fl_bytes text, fl_why *why)
{
    yaml_parser_t parser;
    if (text.size > FL_CONF_FILE_BYTES_MAX) {
        return fl_fail(FL_RANGE, why, "%s: larger than %d bytes; this is no settings file",
                       self->file, FL_CONF_FILE_BYTES_MAX);
    }
    if (!yaml_parser_initialize(&parser)) {
        return fl_fail(FL_NOMEM, why, "%s: out of memory", self->file);
    }
    yaml_parser_set_input_string(&parser, text.data, text.size);
    fl_status status = s_document(self, &parser, why);
    yaml_parser_delete(&parser);
    return status;
}

fl_status
fl_conf_read_file(fl_conf *self, fl_why *why)
{
    FILE *file = fopen(self->file, "rbe");
    if (file == NULL) {
        fl_status status = errno == ENOENT ? FL_MISSING : FL_IO;
        fl_why_set(why, "%s: cannot be read: %s", self->file,
                   status == FL_MISSING ? "there is no such file" : strerror(errno));
        return status;
    }
    uint8_t *text = malloc(FL_CONF_FILE_BYTES_MAX + 1);
    size_t size = text == NULL ? 0 : fread(text, 1, FL_CONF_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    fl_status status;
    if (text == NULL) {
        status = fl_fail(FL_NOMEM, why, "%s: out of memory", self->file);
    } else if (failed) {
        status = fl_fail(FL_IO, why, "%s: cannot be read; is it a file?", self->file);
    } else {
        status = fl_conf_read_text(self, fl_bytes_of(text, size), why);
    }
    free(text);
    return status;
}
