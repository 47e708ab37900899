package flow

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ActivityName is the name under which an activity that other services may ask for is registered: the full name of its
// request. So the contract is all that both sides share.
func ActivityName(request proto.Message) string {
	return string(request.ProtoReflect().Descriptor().FullName())
}

// CheckKey names what is wrong with the idempotency key of an activity's request, which is 1 to 255 printable characters; ok
// where nothing is.
func CheckKey(key string) (fault problem.Field, ok bool) {
	n := utf8.RuneCountInString(key)
	ok = n >= 1 && n <= 255 && utf8.ValidString(key) && !strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) })
	return problem.Field{Location: "idempotency_key", Code: "idempotency_key_invalid", Message: "must be 1 to 255 printable characters"}, ok
}
