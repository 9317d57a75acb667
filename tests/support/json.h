//  json - what a test asks of an answer of common/admin: values by their path, "a/0/b".
#ifndef FL_SUPPORT_JSON_H
#define FL_SUPPORT_JSON_H

#include "common/base/blob.h"
#include "common/base/limits.h"
#include "tests/support/unit.h"

#include <jansson.h>
#include <string.h>

//  The blob as JSON, the caller's; the blob is given back.
static inline json_t *
json_of(fl_blob *blob)
{
    json_error_t trouble;
    assert_non_null(blob);
    assert_true(fl_blob_size(blob) <= FL_JSON_BYTES_MAX);
    json_t *json = json_loadb((const char *)fl_blob_data(blob), fl_blob_size(blob),
                              JSON_REJECT_DUPLICATES, &trouble);
    fl_blob_unref(&blob);
    assert_true(json_is_object(json));
    return json;
}

static inline const json_t *
json_at(const json_t *json, const char *path)
{
    char key[64];
    while (*path != '\0') {
        size_t length = strcspn(path, "/");
        assert_true(length < sizeof key);
        memcpy(key, path, length);
        key[length] = '\0';
        json = json_is_array(json) ? json_array_get(json, (size_t)(key[0] - '0'))
                                   : json_object_get(json, key);
        if (json == NULL) {
            fail_msg("nothing at %s", path);
        }
        path += length + (path[length] == '/');
    }
    return json;
}

#define assert_text(json, path, value)                                                             \
    assert_string_equal(json_string_value(json_at((json), (path))), (value))
#define assert_whole(json, path, value)                                                            \
    assert_int_equal(json_integer_value(json_at((json), (path))), (value))
#define assert_null_at(json, path) assert_true(json_is_null(json_at((json), (path))))

#endif
