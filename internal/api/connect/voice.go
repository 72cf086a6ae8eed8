package connect

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"ullim/internal/api/rest"
	"ullim/internal/call"
	"ullim/internal/contact"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/phone"
	"ullim/internal/resource"
)

// voice is what is done with calls: calling somebody, handing a contact over, listening to it.
func (s *service) voice(t *rest.Table) {
	rest.Op(t, "StartOutboundVoiceContact", "PUT", "/contact/outbound-voice", identity.OutboundCallAccess, s.startOutboundVoice)
	rest.Op(t, "TransferContact", "POST", "/contact/transfer", identity.RealTimeMetrics, s.transferContact)
	rest.Op(t, "MonitorContact", "POST", "/contact/monitor", identity.ManagerListenIn, s.monitorContact)
}

type machineDetection struct {
	EnableAnswerMachineDetection bool `json:"EnableAnswerMachineDetection,omitempty"`
	AwaitAnswerMachinePrompt     bool `json:"AwaitAnswerMachinePrompt,omitempty"`
}

type startOutboundVoiceInput struct {
	InstanceID             string                      `json:"InstanceId" ref:"instance"`
	ContactFlowID          string                      `json:"ContactFlowId" ref:"contact-flow"`
	DestinationPhoneNumber string                      `json:"DestinationPhoneNumber"`
	SourcePhoneNumber      string                      `json:"SourcePhoneNumber,omitempty"`
	QueueID                string                      `json:"QueueId,omitempty" ref:"queue"`
	Attributes             map[string]string           `json:"Attributes,omitempty"`
	ClientToken            string                      `json:"ClientToken,omitempty"`
	Name                   string                      `json:"Name,omitempty"`
	Description            string                      `json:"Description,omitempty"`
	References             map[string]contactReference `json:"References,omitempty"`
	RelatedContactID       string                      `json:"RelatedContactId,omitempty" ref:"contact"`
	RingTimeoutInSeconds   int                         `json:"RingTimeoutInSeconds,omitempty"`
	TrafficType            string                      `json:"TrafficType,omitempty"`
	MachineDetection       *machineDetection           `json:"AnswerMachineDetectionConfig,omitempty"`
	CampaignID             rest.Unsupported            `json:"CampaignId,omitzero"`
	OutboundStrategy       rest.Unsupported            `json:"OutboundStrategy,omitzero"`
}

// Bounds of a contact that is started, as in the service.
const (
	maxContactName        = 512
	maxContactDescription = 4096
	maxClientToken        = 500
	minRing, maxRing      = 15, 60 // seconds
)

func (in *startOutboundVoiceInput) check() error {
	size := 0
	for k, v := range in.Attributes {
		size += len(k) + len(v)
	}
	switch normal, err := phone.Normalize(in.DestinationPhoneNumber, ""); {
	case err != nil || normal != in.DestinationPhoneNumber:
		return errs.Field("DestinationPhoneNumber", "must be in E.164 form, as +82215778000; is %.40q", in.DestinationPhoneNumber)
	case in.QueueID == "" && in.SourcePhoneNumber == "":
		return errs.Field("SourcePhoneNumber", "is required, or QueueId, whose number is shown then")
	case in.TrafficType != "" && in.TrafficType != "GENERAL":
		return errs.Field("TrafficType", "must be GENERAL: campaigns are not supported yet")
	case in.MachineDetection != nil && in.MachineDetection.EnableAnswerMachineDetection:
		return errs.Field("AnswerMachineDetectionConfig", "is for campaigns, which are not supported yet")
	case in.RingTimeoutInSeconds != 0 && (in.RingTimeoutInSeconds < minRing || in.RingTimeoutInSeconds > maxRing):
		return errs.Field("RingTimeoutInSeconds", "must be %d to %d; is %d", minRing, maxRing, in.RingTimeoutInSeconds)
	case len(in.ClientToken) > maxClientToken:
		return errs.Field("ClientToken", "must have at most %d characters", maxClientToken)
	case len([]rune(in.Name)) > maxContactName:
		return errs.Field("Name", "must have at most %d characters", maxContactName)
	case len([]rune(in.Description)) > maxContactDescription:
		return errs.Field("Description", "must have at most %d characters", maxContactDescription)
	case size > contact.MaxAttributeBytes:
		return errs.New(errs.Limit, "Attributes: at most %d bytes are kept; are %d", contact.MaxAttributeBytes, size)
	}
	for name, r := range in.References {
		if !slices.Contains([]string{"URL", "NUMBER", "STRING", "DATE", "EMAIL"}, r.Type) {
			return errs.Field("References", "%.40q must be of type URL, NUMBER, STRING, DATE or EMAIL; is %.40q", name, r.Type)
		}
	}
	return nil
}

type startOutboundVoiceOutput struct {
	ContactID string `json:"ContactId"`
}

// startOutboundVoice calls a number. With a ClientToken the id of the contact follows from it, so that asking again gives
// the contact that there is.
func (s *service) startOutboundVoice(
	ctx context.Context, c *rest.Call, in *startOutboundVoiceInput,
) (*startOutboundVoiceOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	o := call.Originate{
		InstanceID: c.Instance(), Number: in.DestinationPhoneNumber, FlowID: in.ContactFlowID, Method: contact.API, Attributes: in.Attributes,
		Priority: call.PriorityAgent, Ring: time.Duration(in.RingTimeoutInSeconds) * time.Second, Name: in.Name, Description: in.Description,
		RelatedContactID: in.RelatedContactID,
	}
	if in.ClientToken != "" {
		o.ContactID = uuid.NewSHA1(uuid.NameSpaceOID, []byte("outbound-voice\n"+c.Instance()+"\n"+in.ClientToken)).String()
		if r, err := s.Contacts.Contact(ctx, c.Instance(), o.ContactID); err == nil {
			return &startOutboundVoiceOutput{ContactID: r.ID}, nil
		} else if !errs.Is(err, errs.NotFound) {
			return nil, err
		}
	}
	if _, err := s.Flows.Find(ctx, c.Instance(), in.ContactFlowID); err != nil {
		return nil, err
	}
	if err := s.callerOf(ctx, c, in, &o); err != nil {
		return nil, err
	}
	for name, r := range in.References {
		if o.References == nil {
			o.References = make(map[string]contact.Reference, len(in.References))
		}
		o.References[name] = contact.Reference{Type: r.Type, Value: r.Value}
	}
	id, err := s.Calls.Originate(ctx, o)
	if err != nil {
		return nil, err
	}
	c.Note("contact_id", id)
	return &startOutboundVoiceOutput{ContactID: id}, nil
}

// callerOf finds out by which number is called: the one that is given, which must be ours, else the queue's.
func (s *service) callerOf(ctx context.Context, c *rest.Call, in *startOutboundVoiceInput, o *call.Originate) error {
	if in.QueueID != "" {
		q, err := s.Queues.Get(ctx, c.Instance(), in.QueueID)
		if err != nil {
			return err
		}
		o.Queue, o.FromName = call.TargetQueue{ID: q.ID, Name: q.Name}, q.OutboundCallerIDName
		if q.OutboundCallerNumber != "" {
			n, err := s.Numbers.Get(ctx, c.Instance(), q.OutboundCallerNumber)
			if err != nil {
				return err
			}
			o.FromNumber = n.Name
		}
	}
	if in.SourcePhoneNumber == "" {
		if o.FromNumber == "" {
			return errs.Field("SourcePhoneNumber", "is required: the queue has no outbound number")
		}
		return nil
	}
	n, err := s.Numbers.GetByName(ctx, c.Instance(), in.SourcePhoneNumber)
	if errs.Is(err, errs.NotFound) {
		return errs.Field("SourcePhoneNumber", "must be a number that the instance has claimed; %.40q is not", in.SourcePhoneNumber)
	}
	if err != nil {
		return err
	}
	o.FromNumber = n.Name
	return nil
}

type transferContactInput struct {
	InstanceID    string `json:"InstanceId" ref:"instance"`
	ContactID     string `json:"ContactId" ref:"contact"`
	ContactFlowID string `json:"ContactFlowId" ref:"contact-flow"`
	QueueID       string `json:"QueueId,omitempty" ref:"queue"`
	UserID        string `json:"UserId,omitempty" ref:"agent"`
	ClientToken   string `json:"ClientToken,omitempty"`
}

type contactReferenceOutput struct {
	ContactID  string `json:"ContactId"`
	ContactARN string `json:"ContactArn"`
}

func (s *service) transferContact(ctx context.Context, c *rest.Call, in *transferContactInput) (*contactReferenceOutput, error) {
	if (in.QueueID == "") == (in.UserID == "") {
		return nil, errs.Field("QueueId", "must be given, or UserId, and not both")
	}
	c.Note("contact_id", in.ContactID)
	next, err := s.Calls.HandOver(ctx, c.Instance(), in.ContactID, call.Destination{
		UserID: in.UserID, QueueID: in.QueueID, TransferFlowID: in.ContactFlowID,
	})
	if err != nil {
		return nil, err
	}
	return contactNamed(c, next), nil
}

func contactNamed(c *rest.Call, id string) *contactReferenceOutput {
	return &contactReferenceOutput{ContactID: id, ContactARN: resource.ARN(c.Instance(), rest.KindContact, id)}
}

type monitorContactInput struct {
	InstanceID   string   `json:"InstanceId" ref:"instance"`
	ContactID    string   `json:"ContactId" ref:"contact"`
	UserID       string   `json:"UserId" ref:"agent"`
	Capabilities []string `json:"AllowedMonitorCapabilities,omitempty"`
	ClientToken  string   `json:"ClientToken,omitempty"`
}

// monitorContact rings the devices of a supervisor, who listens. If that is not among what is allowed, or BARGE is too,
// they may join: the one at once, the other later.
func (s *service) monitorContact(ctx context.Context, c *rest.Call, in *monitorContactInput) (*contactReferenceOutput, error) {
	if len(in.Capabilities) > 2 {
		return nil, errs.Field("AllowedMonitorCapabilities", "must be at most 2")
	}
	for _, k := range in.Capabilities {
		if k != "SILENT_MONITOR" && k != "BARGE" {
			return nil, errs.Field("AllowedMonitorCapabilities", "must be SILENT_MONITOR or BARGE; is %.40q", k)
		}
	}
	i := call.Invitation{
		By: c.Principal.UserID, UserID: in.UserID, Supervisor: true, Hears: call.Monitor, Barges: slices.Contains(in.Capabilities, "BARGE"),
	}
	if i.Barges && !slices.Contains(in.Capabilities, "SILENT_MONITOR") {
		i.Hears = call.Speaker
	}
	c.Note("contact_id", in.ContactID)
	if err := s.Calls.Invite(ctx, c.Instance(), in.ContactID, i); err != nil {
		return nil, err
	}
	return contactNamed(c, in.ContactID), nil
}
