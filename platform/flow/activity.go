package flow

import "google.golang.org/protobuf/proto"

// ActivityName is the name under which an activity that other services may ask for is registered: the full name of its
// request. So the contract is all that both sides share.
func ActivityName(request proto.Message) string {
	return string(request.ProtoReflect().Descriptor().FullName())
}
