package subscription

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// scramIterations is what Apache Kafka asks for at least.
const scramIterations = 4096

// Kafka carries out in Kafka what was planned.
type Kafka struct {
	admin *kadm.Client
}

// NewKafka uses a client whose user may alter the cluster.
func NewKafka(client *kgo.Client) *Kafka { return &Kafka{kadm.NewClient(client)} }

// NewPassword makes one that nobody guesses.
func NewPassword() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HasUser tells whether the broker knows the user.
func (k *Kafka) HasUser(ctx context.Context, user string) (bool, error) {
	found, err := k.admin.DescribeUserSCRAMs(ctx, user)
	if err != nil {
		return false, fmt.Errorf("ask Kafka for the user: %w", err)
	}
	one, ok := found[user]
	if !ok || errors.Is(one.Err, kerr.ResourceNotFound) {
		return false, nil
	}
	return one.Err == nil, one.Err
}

// Users lists all SCRAM users.
func (k *Kafka) Users(ctx context.Context) ([]string, error) {
	found, err := k.admin.DescribeUserSCRAMs(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the users of Kafka: %w", err)
	}
	var users []string
	for user := range found {
		users = append(users, user)
	}
	return users, nil
}

// SetPassword makes the user, or changes its password.
func (k *Kafka) SetPassword(ctx context.Context, user, password string) error {
	done, err := k.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{
		User: user, Mechanism: kadm.ScramSha512, Iterations: scramIterations, Password: password,
	}})
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("set the password in Kafka: %w", err)
	}
	return nil
}

// Allow has the user's access control entries be the rules, and tells whether anything had to change.
func (k *Kafka) Allow(ctx context.Context, user string, rules []Rule) (changed bool, err error) {
	have, err := k.rules(ctx, user)
	if err != nil {
		return false, err
	}
	add, remove := Change(have, rules)
	for _, r := range remove {
		gone, err := k.admin.DeleteACLs(ctx, builder(user, r))
		if err == nil {
			for _, g := range gone {
				err = errors.Join(err, g.Err)
			}
		}
		if err != nil {
			return true, fmt.Errorf("take an entry from Kafka's access control: %w", err)
		}
	}
	for _, r := range add {
		made, err := k.admin.CreateACLs(ctx, builder(user, r))
		if err == nil {
			for _, m := range made {
				err = errors.Join(err, m.Err)
			}
		}
		if err != nil {
			return true, fmt.Errorf("add an entry to Kafka's access control: %w", err)
		}
	}
	return len(add)+len(remove) > 0, nil
}

// Revoke takes everything from the user and forgets it. It does not mind a user that is not there.
func (k *Kafka) Revoke(ctx context.Context, user string) error {
	if _, err := k.Allow(ctx, user, nil); err != nil {
		return err
	}
	known, err := k.HasUser(ctx, user)
	if err != nil || !known {
		return err
	}
	done, err := k.admin.AlterUserSCRAMs(ctx, []kadm.DeleteSCRAM{{User: user, Mechanism: kadm.ScramSha512}}, nil)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("delete the user in Kafka: %w", err)
	}
	return nil
}

func builder(user string, r Rule) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow("User:" + user).AllowHosts("*").Operations(kmsg.ACLOperationRead)
	if r.Operation == Describe {
		b = b.Operations(kmsg.ACLOperationDescribe)
	}
	pattern := kmsg.ACLResourcePatternTypeLiteral
	if r.Prefixed {
		pattern = kmsg.ACLResourcePatternTypePrefixed
	}
	b = b.ResourcePatternType(pattern)
	if r.Resource == Group {
		return b.Groups(r.Name)
	}
	return b.Topics(r.Name)
}

// rules lists what the user may do.
func (k *Kafka) rules(ctx context.Context, user string) ([]Rule, error) {
	filter := kadm.NewACLs().AnyResource().Allow("User:" + user).AllowHosts().Operations().ResourcePatternType(kmsg.ACLResourcePatternTypeAny)
	found, err := k.admin.DescribeACLs(ctx, filter)
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for access control: %w", err)
	}
	var rules []Rule
	for _, f := range found {
		if f.Err != nil {
			return nil, fmt.Errorf("ask Kafka for access control: %w", f.Err)
		}
		for _, d := range f.Described {
			r := Rule{Name: d.Name, Prefixed: d.Pattern == kmsg.ACLResourcePatternTypePrefixed}
			switch d.Type {
			case kmsg.ACLResourceTypeTopic:
				r.Resource = Topic
			case kmsg.ACLResourceTypeGroup:
				r.Resource = Group
			default:
				continue // not of ours
			}
			switch d.Operation {
			case kmsg.ACLOperationRead:
				r.Operation = Read
			case kmsg.ACLOperationDescribe:
				r.Operation = Describe
			default:
				continue
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}
