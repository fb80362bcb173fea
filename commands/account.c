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
#include "pages.h"
#include "passwd.h"
#include "scratch.h"
#include "text.h"

/* A home on a network may never answer. */
#define LIMIT_MS 60000

/* What a child works on. */
static const char *username;
static const char *hash;
static PAGES_SELDOM struct account account;
static const struct json_token *keys;
static enum keys_change change;

static PAGES_SELDOM char said[512]; /* by the child */

static struct child child = {.output = said, .output_size = sizeof(said), .limit_ms = LIMIT_MS};

static const char *reason(int error)
{
	return error == PASSWD_NO_USER ? "no such user" : error_text(error);
}

/* Run work, whose status is 0 or an errno, in a child. Returns NULL, or why it failed. */
static const char *run_work(int (*work)(int report))
{
	int status;

	child.words = NULL;
	child.work = work;
	status = child_run(&child);
	if (status == 0)
		return NULL;
	if (status > 0)
		errno = WIFSIGNALED(status) ? ETIMEDOUT : WEXITSTATUS(status);
	return reason(errno);
}

/* ---- The password ---- */

static void fail_password(struct request *request, const char *why)
{
	reply_error(request, "child process has failed to set user password: %s", why);
}

static int set_hash(int report)
{
	(void)report;
	return passwd_set_hash(username, hash);
}

/* Run chpasswd(8), wherever it is. */
static int run_chpasswd(void)
{
	static const char *const programs[][3] = {
		{"chpasswd"}, {"/usr/sbin/chpasswd"}, {"busybox", "chpasswd"}};
	int status = -1;

	for (int i = 0; i < 3 && status < 0; i++) {
		child.words = programs[i];
		status = child_run(&child);
		if (status < 0 && errno != ENOENT)
			break;
	}
	return status;
}

static void set_raw_password(struct request *request, const char *password)
{
	int status;

	/* More than a child takes may be cut: it is too much all the same. */
	text_print(scratch, SCRATCH_SPACE, "%s:%s\n", username, password);
	child.input = scratch;
	child.input_size = strlen(scratch);
	status = run_chpasswd();
	scratch_release(child.input_size);
	if (status < 0)
		reply_error(request, "failed to execute chpasswd: %s", error_text(errno));
	else if (status > 0) {
		child_explain(&child, status);
		fail_password(request, said);
	}
}

static void set_password(struct request *request)
{
	char *password;
	const char *why;
	size_t size;
	bool is_crypted = request_bool(request, 2);

	username = request_string(request, 0, NULL);
	if (!request_base64(request, 1, &password, &size))
		return;
	password[size] = '\0';
	if (username[strcspn(username, ":\n")] != '\0') {
		reply_error(request, "forbidden characters in username");
	} else if (!is_crypted && strlen(password) != size) {
		fail_password(request, "it has a NUL character");
	} else if (strcspn(password, is_crypted ? ":\n" : "\n") != size) {
		reply_error(request, "forbidden characters in %s password",
			is_crypted ? "crypted" : "raw");
	} else if (is_crypted) {
		hash = password;
		why = run_work(set_hash);
		if (why)
			fail_password(request, why);
	} else {
		set_raw_password(request, password);
	}
}

/* ---- The keys ---- */

static bool find_account(struct request *request)
{
	bool found;

	username = request_string(request, 0, NULL);
	found = passwd_find(username, &account);
	if (!found)
		reply_error(request, "failed to lookup user '%s': %s", username, reason(errno));
	return found;
}

static void fail_keys(struct request *request, const char *action, const char *why)
{
	reply_error(
		request, "failed to %s '%s/.ssh/authorized_keys': %s", action, account.home, why);
}

static void get_keys(struct request *request)
{
	struct text text;

	if (!find_account(request))
		return;
	if (!keys_get(&account, &text)) {
		fail_keys(request, "read", error_text(errno));
	} else {
		json_begin('{');
		json_put_key("keys");
		json_begin('[');
		keys_read(&text, json_put_string);
		json_end(']');
		json_end('}');
	}
}

static int change_keys(int report)
{
	(void)report;
	return keys_change(&account, keys, change);
}

static bool are_keys(struct request *request)
{
	for (const struct json_token *key = keys + 1; key < keys + keys->span; key++) {
		char first = key->text[strspn(key->text, " \t")];

		if (first == '\0' || first == '#' || memchr(key->text, '\n', key->size)) {
			reply_error(request, "invalid OpenSSH public key: '%s'", key->text);
			return false;
		}
	}
	return true;
}

static void change_file(struct request *request, enum keys_change how)
{
	const char *why;

	keys = request->arguments[1];
	change = how;
	if (!are_keys(request) || !find_account(request))
		return;
	why = run_work(change_keys);
	if (why)
		fail_keys(request, "write", why);
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
