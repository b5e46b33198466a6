#!/bin/sh
# The id of a question: question-id.sh TITLE [CONTENT]. GNU sed and sha256sum, as on any Debian.
# The same as identity.ts for text in NFC with ordinary white space, which is what keyboards and most programs produce.
c() { printf %s "$1" | LC_ALL=C.UTF-8 sed -Ez 's/\s+/ /g; s/^ //; s/ $//; s/.*/\L&/'; }
printf '%s\037%s' "$(c "$1")" "$(c "${2-}")" | sha256sum | cut -c1-32
