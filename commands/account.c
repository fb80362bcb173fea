/* Who may log in: passwords, and the keys that sshd takes. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authorized_keys.h"
#include "child.h"
#include "commands.h"
#include "error_text.h"
#include "keys_text.h"
#include "passwd.h"
#include "scratch.h"
#include "text.h"

/* A home on a network may never answer. */
#define LIMIT_MS 60000

/* What a child works on. */
static const char *username;
static const char *hash;
static struct account account;
static const struct json_token *keys;
static enum keys_change change;

static char said[512]; /* by the child */

/* ---- The password ---- */

static void fail_password(struct request *request, const char *reason)
{
	reply_error(request, "child process has failed to set user password%s%s",
		*reason ? ": " : "", reason);
}

static int set_hash(int report)
{
	const char *fault = passwd_set_hash(username, hash);

	if (!fault)
		return 0;
	(void)write(report, fault, strlen(fault));
	return 1;
}

/* Run chpasswd(8), wherever it is. */
static int run_chpasswd(const char *input, size_t size)
{
	static const char *const programs[][3] = {
		{"chpasswd"}, {"/usr/sbin/chpasswd"}, {"busybox", "chpasswd"}};
	struct child child = {
		.input = input, .input_size = size, .output = said, .output_size = sizeof(said)};
	int status = -1;

	for (int i = 0; i < 3 && status < 0; i++) {
		child.words = programs[i];
		status = child_run(&child);
		if (status < 0 && errno != ENOENT)
			break;
	}
	return status;
}

/* The password is size bytes of the request's text, with room for a newline behind them and the
 * name before. */
static void set_raw_password(struct request *request, const char *password, size_t size)
{
	struct text text = text_in(scratch, CHILD_INPUT_MAX);
	int status;

	text_format(&text, "%s:", username);
	text_put(&text, password, size);
	text_put(&text, "\n", 1);
	if (text.cut)
		fail_password(request, error_text(E2BIG));
	else if (memchr(password, '\0', size))
		fail_password(request, "it has a NUL character");
	else if ((status = run_chpasswd(scratch, text.used)) < 0)
		reply_error(request, "failed to execute chpasswd: %s", error_text(errno));
	else if (status > 0)
		fail_password(request, said);
}

static void set_crypted_password(struct request *request)
{
	static const struct child child = {
		.work = set_hash, .output = said, .output_size = sizeof(said)};
	int status = child_run(&child);

	if (status != 0)
		fail_password(request, status < 0 ? error_text(errno) : said);
}

static void set_password(struct request *request)
{
	char *password;
	size_t size;
	bool is_crypted = request_bool(request, 2);

	username = request_string(request, 0, NULL);
	if (!request_base64(request, 1, &password, &size))
		return;
	if (username[strcspn(username, ":\n")] != '\0') {
		reply_error(request, "forbidden characters in username");
	} else if (memchr(password, '\n', size) ||
		(is_crypted && (memchr(password, ':', size) || memchr(password, '\0', size)))) {
		reply_error(request, "forbidden characters in %s password",
			is_crypted ? "crypted" : "raw");
	} else if (is_crypted) {
		password[size] = '\0';
		hash = password;
		set_crypted_password(request);
	} else {
		set_raw_password(request, password, size);
	}
}

/* ---- The keys ---- */

#define KEYS_FILE "%s/.ssh/authorized_keys"

static bool find_account(struct request *request)
{
	const char *fault;

	username = request_string(request, 0, NULL);
	fault = passwd_find(username, &account);
	if (fault)
		reply_error(request, "failed to lookup user '%s': %s", username, fault);
	return !fault;
}

static void begin_key(void)
{
	json_begin_string();
}

static void end_key(void)
{
	json_end_string();
}

static void get_keys(struct request *request)
{
	static const struct keys_reader reader = {begin_key, json_put_characters, end_key};
	int file;

	if (!find_account(request))
		return;
	file = keys_open(&account);
	if (file < 0) {
		reply_error(request, "failed to read '" KEYS_FILE "': %s", account.home,
			error_text(errno));
		return;
	}
	json_begin('{');
	json_put_key("keys");
	json_begin('[');
	keys_read(file, &reader);
	json_end(']');
	json_end('}');
	close(file);
}

static int change_keys(int report)
{
	(void)report;
	return keys_change(&account, keys, change);
}

static bool are_keys(struct request *request)
{
	for (const struct json_token *key = keys + 1; key < keys + keys->span; key++) {
		if (key->size == 0 || *key->text == '#' || memchr(key->text, '\n', key->size)) {
			reply_error(request, "invalid OpenSSH public key: '%s'", key->text);
			return false;
		}
	}
	return true;
}

static void change_file(struct request *request, enum keys_change how)
{
	static const struct child child = {.work = change_keys,
		.output = said,
		.output_size = sizeof(said),
		.limit_ms = LIMIT_MS};
	int status;

	keys = request->arguments[1];
	change = how;
	if (!are_keys(request) || !find_account(request))
		return;
	status = child_run(&child);
	if (status > 0)
		errno = WIFSIGNALED(status) ? ETIMEDOUT : WEXITSTATUS(status);
	if (status != 0)
		reply_error(request, "failed to write '" KEYS_FILE "': %s", account.home,
			error_text(errno));
}

static void add_keys(struct request *request)
{
	change_file(request, request_bool(request, 2) ? KEYS_RESET : KEYS_ADD);
}

static void remove_keys(struct request *request)
{
	change_file(request, KEYS_REMOVE);
}

COMMANDS = {
	{"guest-set-user-password", "username:s password:s crypted:b", 0, set_password},
	{"guest-ssh-get-authorized-keys", "username:s", 0, get_keys},
	{"guest-ssh-add-authorized-keys", "username:s keys:[s] reset:b?", 0, add_keys},
	{"guest-ssh-remove-authorized-keys", "username:s keys:[s]", 0, remove_keys},
};
