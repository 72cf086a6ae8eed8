package api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/identity"
)

func TestProficienciesThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	created, err := c.CreateUser(ctx, w.newUser("anna", w.profile[identity.ProfileAgent]))
	must(t, err)
	skill := func(name, value string, level float32) types.UserProficiency {
		return types.UserProficiency{AttributeName: &name, AttributeValue: &value, Level: &level}
	}
	list := func() []types.UserProficiency {
		t.Helper()
		out, lerr := c.ListUserProficiencies(ctx, &awsconnect.ListUserProficienciesInput{InstanceId: aws.String(ours), UserId: created.UserId})
		must(t, lerr)
		return out.UserProficiencyList
	}
	korean, sales := skill("language", "ko", 5), skill("team", "sales", 2.5)
	_, err = c.AssociateUserProficiencies(ctx, &awsconnect.AssociateUserProficienciesInput{
		InstanceId: aws.String(ours), UserId: created.UserId, UserProficiencies: []types.UserProficiency{korean, sales},
	})
	must(t, err)
	if d := cmp.Diff([]types.UserProficiency{korean, sales}, list(), ignoreUnexported()); d != "" {
		t.Error(d)
	}
	for name, bad := range map[string]types.UserProficiency{"a level above 5": skill("x", "y", 6), "one that is there": korean} {
		_, err = c.AssociateUserProficiencies(ctx, &awsconnect.AssociateUserProficienciesInput{
			InstanceId: aws.String(ours), UserId: created.UserId, UserProficiencies: []types.UserProficiency{skill("new", "one", 1), bad},
		})
		if err == nil || len(list()) != 2 {
			t.Errorf("%s: %v, now %d", name, err, len(list()))
		}
	}
	better := skill("team", "sales", 4)
	_, err = c.UpdateUserProficiencies(ctx, &awsconnect.UpdateUserProficienciesInput{
		InstanceId: aws.String(ours), UserId: created.UserId, UserProficiencies: []types.UserProficiency{better},
	})
	must(t, err)
	_, err = c.DisassociateUserProficiencies(ctx, &awsconnect.DisassociateUserProficienciesInput{
		InstanceId: aws.String(ours), UserId: created.UserId,
		UserProficiencies: []types.UserProficiencyDisassociate{{AttributeName: aws.String("language"), AttributeValue: aws.String("ko")}},
	})
	must(t, err)
	if d := cmp.Diff([]types.UserProficiency{better}, list(), ignoreUnexported()); d != "" {
		t.Error(d)
	}
}
