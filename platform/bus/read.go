package bus

import "context"

// Follow as the end of [Client.Read] means: never end, wait for what comes.
const Follow int64 = -1

// Read gives the messages of one partition from offset from up to, and without, offset to.
func (c *Client) Read(ctx context.Context, topic string, partition int, from, to int64, fn func(Message) error) error {
	panic("soon")
}
