package connect

import (
	"context"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
)

func (s *service) userConfig(t *rest.Table) {
	rest.Op(t, "UpdateUserConfig", "POST", "/users/{InstanceId}/{UserId}/config", identity.UsersEdit, s.updateUserConfig)
}

type acwLimit struct {
	AfterContactWorkTimeLimit int `json:"AfterContactWorkTimeLimit"`
}

type acwConfig struct {
	Channel                string           `json:"Channel"`
	AfterContactWorkConfig *acwLimit        `json:"AfterContactWorkConfig"`
	AgentFirstCallback     rest.Unsupported `json:"AgentFirstCallbackAfterContactWorkConfig,omitzero"`
}

type autoAcceptConfig struct {
	Channel            string           `json:"Channel"`
	AutoAccept         bool             `json:"AutoAccept"`
	AgentFirstCallback rest.Unsupported `json:"AgentFirstCallbackAutoAccept,omitzero"`
}

type updateUserConfigInput struct {
	InstanceID       string             `json:"-" path:"InstanceId" ref:"instance"`
	UserID           string             `json:"-" path:"UserId" ref:"agent"`
	AfterContactWork []acwConfig        `json:"AfterContactWorkConfigs,omitempty"`
	AutoAccept       []autoAcceptConfig `json:"AutoAcceptConfigs,omitempty"`
	Persistent       rest.Unsupported   `json:"PersistentConnectionConfigs,omitzero"`
	PhoneNumbers     rest.Unsupported   `json:"PhoneNumberConfigs,omitzero"`
	VoiceEnhancement rest.Unsupported   `json:"VoiceEnhancementConfigs,omitzero"`
}

// updateUserConfig sets after-contact work and automatic acceptance by channel. A channel that is not named stays.
func (s *service) updateUserConfig(ctx context.Context, c *rest.Call, in *updateUserConfigInput) (*rest.Empty, error) {
	return s.editUser(ctx, c, in.UserID, func(u *identity.User) error {
		applyAutoAccept(u, in.AutoAccept)
		return applyACW(u, in.AfterContactWork)
	})
}

func applyACW(u *identity.User, list []acwConfig) error {
	for _, one := range list {
		if one.AfterContactWorkConfig == nil {
			return errs.Field("AfterContactWorkConfigs.AfterContactWorkConfig", "is required")
		}
		if u.AfterContactWork == nil {
			u.AfterContactWork = map[string]int{}
		}
		u.AfterContactWork[one.Channel] = one.AfterContactWorkConfig.AfterContactWorkTimeLimit
	}
	return nil
}

func applyAutoAccept(u *identity.User, list []autoAcceptConfig) {
	for _, one := range list {
		if u.AutoAccept == nil {
			u.AutoAccept = map[string]bool{}
		}
		u.AutoAccept[one.Channel] = one.AutoAccept
	}
}

// channelsOf is what a user has by channel, as the API shows it.
func channelsOf(u *identity.User) (acw []acwConfig, auto []autoAcceptConfig) {
	for _, ch := range channelNames() {
		if n, ok := u.AfterContactWork[ch]; ok {
			acw = append(acw, acwConfig{Channel: ch, AfterContactWorkConfig: &acwLimit{n}})
		}
		if on, ok := u.AutoAccept[ch]; ok {
			auto = append(auto, autoAcceptConfig{Channel: ch, AutoAccept: on})
		}
	}
	return acw, auto
}

func channelNames() []string { return []string{"VOICE", "CHAT", "TASK", "EMAIL"} }
