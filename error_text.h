/* The words for errno, as glibc has them: clients match on these, and musl's differ. */
#ifndef ERROR_TEXT_H
#define ERROR_TEXT_H

/* The text for an errno value, "Unknown error N" for what is none or rare. Never NULL, and valid
 * until the next call. */
const char *error_text(int error);

#endif
