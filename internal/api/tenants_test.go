package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ullim/acd"
	"ullim/internal/api/admin"
	"ullim/internal/api/connect"
	"ullim/internal/api/rest"
	"ullim/internal/calendar"
	"ullim/internal/contact"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
	"ullim/internal/view"
	"ullim/ivr"
)

// bodies are complete requests for operations that have one; %s stands for the id that they name.
func bodies() map[string]string {
	const timeRange = `"TimeRange":{"Type":"INITIATION_TIMESTAMP","StartTime":1,"EndTime":2}`
	return map[string]string{
		"UpdateContactRoutingData":                   `{"QueuePriority":1}`,
		"UpdateCallback":                             `{"Number":"+82215880001"}`,
		"AssociateContactWithUser":                   `{"UserId":"u"}`,
		"UpdateQueueRouting":                         `{"Distribution":"RING_ALL"}`,
		"UpdateQueueName":                            `{"Name":"n"}`,
		"UpdateQueueStatus":                          `{"Status":"DISABLED"}`,
		"UpdateQueueHoursOfOperation":                `{"HoursOfOperationId":"h"}`,
		"UpdateQueueOutboundCallerConfig":            `{"OutboundCallerConfig":{"OutboundCallerIdName":"n"}}`,
		"UpdateHoursOfOperation":                     `{"Name":"n"}`,
		"UpdateRoutingProfileName":                   `{"Name":"n"}`,
		"UpdateRoutingProfileConcurrency":            `{"MediaConcurrencies":[{"Channel":"VOICE","Concurrency":1}]}`,
		"UpdateRoutingProfileDefaultOutboundQueue":   `{"DefaultOutboundQueueId":"q"}`,
		"UpdateRoutingProfileAgentAvailabilityTimer": `{"AgentAvailabilityTimer":"TIME_SINCE_LAST_INBOUND"}`,
		"UpdateRoutingProfileQueues":                 `{"QueueConfigs":[{"QueueReference":{"QueueId":"q","Channel":"VOICE"},"Priority":1,"Delay":0}]}`,
		"AssociateRoutingProfileQueues":              `{"QueueConfigs":[{"QueueReference":{"QueueId":"q","Channel":"VOICE"},"Priority":1,"Delay":0}]}`,
		"DisassociateRoutingProfileQueues":           `{"QueueReferences":[{"QueueId":"q","Channel":"VOICE"}]}`,
		"UpdateUserIdentityInfo":                     `{"IdentityInfo":{"FirstName":"f"}}`,
		"UpdateUserPhoneConfig":                      `{"PhoneConfig":{"PhoneType":"SOFT_PHONE"}}`,
		"UpdateUserRoutingProfile":                   `{"RoutingProfileId":"r"}`,
		"UpdateUserSecurityProfiles":                 `{"SecurityProfileIds":["ADMINPROFILE"]}`,
		"UpdateAgentStatus":                          `{"Name":"n"}`,
		"PutUserStatus":                              `{"AgentStatusId":"STATUS"}`,
		"DismissUserContact":                         `{"ContactId":"c"}`,
		"GetCurrentUserData":                         `{"Filters":{"Agents":["u"]}}`,
		"UpdateContactFlowContent":                   `{"Content":"{}"}`,
		"UpdateContactFlowName":                      `{"Name":"n"}`,
		"UpdateContactFlowMetadata":                  `{"Name":"n"}`,
		"TagResource":                                `{"tags":{"a":"b"}}`,
		"CreateContactFlowVersion":                   `{}`,
		"SearchContactFlows":                         `{"InstanceId":"INSTANCE"}`,
		"SearchContactFlowModules":                   `{"InstanceId":"INSTANCE"}`,
		"CreateContactFlowModule":                    `{"Name":"n","Content":"{}"}`,
		"UpdateContactFlowModuleContent":             `{"Content":"{}"}`,
		"UpdateContactFlowModuleMetadata":            `{"Name":"n"}`,
		"CreateContactFlowModuleVersion":             `{}`,
		"CreateContactFlowModuleAlias":               `{"AliasName":"n","ContactFlowModuleVersion":1}`,
		"UpdateContactFlowModuleAlias":               `{"Name":"n"}`,
		"CheckFlow":                                  `{"Content":"{}"}`,
		"RollBackFlow":                               `{"Version":1}`,
		"RollBackFlowModule":                         `{"Version":1}`,
		"ImportFlows":                                `{"Flows":[]}`,
		"UpdatePrompt":                               `{"Name":"n"}`,
		"AssociatePhoneNumberContactFlow":            `{"InstanceId":"INSTANCE","ContactFlowId":"FLOW"}`,
		"UpdatePhoneNumberMetadata":                  `{"PhoneNumberDescription":"d"}`,
		"SearchContacts":                             `{"InstanceId":"INSTANCE",` + timeRange + `}`,
		"UpdateContact":                              `{"Name":"n"}`,
		"UpdateContactAttributes":                    `{"InstanceId":"INSTANCE","InitialContactId":"c","Attributes":{"a":"b"}}`,
		"TagContact":                                 `{"InstanceId":"INSTANCE","ContactId":"c","Tags":{"a":"b"}}`,
		"CreateRecordStream":                         `{"Name":"n","Type":"WEBHOOK","Url":"https://hooks.example.com/"}`,
		"UpdateRecordStream":                         `{"Name":"n","Url":"https://hooks.example.com/"}`,
		"ReplayRecordStream":                         `{"Cursor":0}`,
		"RedeliverDeadLetters":                       `{"DeadLetterIds":[1]}`,
		"DeleteDeadLetters":                          `{"DeadLetterIds":[1]}`,
		"CreateDisposition":                          `{"Code":"n"}`,
		"UpdateDisposition":                          `{"Label":"n"}`,
		"SetContactDisposition":                      `{"Notes":"n"}`,
		"SearchAvailablePhoneNumbers":                `{"InstanceId":"INSTANCE","PhoneNumberCountryCode":"KR","PhoneNumberType":"DID"}`,
		"ClaimPhoneNumber":                           `{"InstanceId":"INSTANCE","PhoneNumber":"+82215778000"}`,
		"ListPhoneNumbersV2":                         `{"InstanceId":"INSTANCE"}`,
		"UpdateTrunk":                                `{"Name":"n","Addresses":["192.0.2.1"]}`,
		"UpdateDevice":                               `{"Disabled":true}`,
		"CreateQuickConnect":                         `{"Name":"n","QuickConnectConfig":{"QuickConnectType":"FLOW","FlowConfig":{"ContactFlowId":"f"}}}`,
		"UpdateQuickConnectConfig":                   `{"QuickConnectConfig":{"QuickConnectType":"FLOW","FlowConfig":{"ContactFlowId":"FLOW"}}}`,
		"UpdateQuickConnectName":                     `{"Name":"n"}`,
		"SearchQuickConnects":                        `{"InstanceId":"INSTANCE"}`,
		"AssociateQueueQuickConnects":                `{"QuickConnectIds":["q"]}`,
		"DisassociateQueueQuickConnects":             `{"QuickConnectIds":["q"]}`,
		"CreateQueue":                                `{"Name":"n","HoursOfOperationId":"h"}`,
		"CreateHoursOfOperation":                     `{"Name":"n","TimeZone":"UTC"}`,
		"CreateHoursOfOperationOverride":             `{"Name":"n","EffectiveFrom":"2026-01-01","EffectiveTill":"2026-01-01"}`,
		"UpdateHoursOfOperationOverride":             `{"Name":"n"}`,
		"AssociateHoursOfOperations":                 `{"ParentHoursOfOperationConfigs":[{"HoursOfOperationId":"h"}]}`,
		"DisassociateHoursOfOperations":              `{"ParentHoursOfOperationIds":["h"]}`,
		"PutHoursHolidays":                           `{"Calendars":["KR"]}`,
		"UpdateInstanceAttribute":                    `{"Value":"true"}`,
		"SimulateFlow":                               `{"ContactFlowId":"FLOW","Tests":[]}`,
		"CreateRoutingProfile":                       `{"Name":"n","Description":"d","DefaultOutboundQueueId":"q","MediaConcurrencies":[{"Channel":"VOICE","Concurrency":1}]}`,
		"AssociateUserProficiencies":                 `{"UserProficiencies":[{"AttributeName":"a","AttributeValue":"b","Level":1}]}`,
		"UpdateUserProficiencies":                    `{"UserProficiencies":[{"AttributeName":"a","AttributeValue":"b","Level":1}]}`,
		"DisassociateUserProficiencies":              `{"UserProficiencies":[{"AttributeName":"a","AttributeValue":"b","Level":1}]}`,
		"CreateUser":                                 `{"Username":"u","Password":"Passw0rd-ok","SecurityProfileIds":["ADMINPROFILE"],"RoutingProfileId":"r"}`,
		"CreateAgentStatus":                          `{"Name":"n","State":"ENABLED"}`,
		"CreateContactFlow":                          `{"Name":"n","Type":"CONTACT_FLOW","Content":"{}"}`,
		"CreatePrompt":                               `{"Name":"n","S3Uri":"upload:"}`,
		"CreateTrunk":                                `{"Name":"n","Addresses":["192.0.2.1"]}`,
		"CreateDevice":                               `{"Name":"n","UserId":"u"}`,
		"UpdateInstanceSettings":                     `{"DisplayName":"n"}`,
		"SetPhoneNumberTrunk":                        `{}`,
		"PutPromptAudio":                             string(wav()),
		"PutPromptVariant":                           string(wav()),
		"UploadPrompts":                              zipped(nil),
		"SearchPrompts":                              `{"InstanceId":"INSTANCE"}`,
		"StartContactRecording":                      `{"InstanceId":"INSTANCE","ContactId":"c","InitialContactId":"c","VoiceRecordingConfiguration":{"VoiceRecordingTrack":"ALL"}}`,
		"StopContactRecording":                       `{"InstanceId":"INSTANCE","ContactId":"c","InitialContactId":"c"}`,
		"SuspendContactRecording":                    `{"InstanceId":"INSTANCE","ContactId":"c","InitialContactId":"c"}`,
		"ResumeContactRecording":                     `{"InstanceId":"INSTANCE","ContactId":"c","InitialContactId":"c"}`,
		"StartChatContact":                           `{"InstanceId":"INSTANCE","ContactFlowId":"FLOW","ParticipantDetails":{"DisplayName":"d"}}`,
		"StartTaskContact":                           `{"InstanceId":"INSTANCE","ContactFlowId":"FLOW","Name":"n"}`,
		"StartOutboundVoiceContact":                  `{"InstanceId":"INSTANCE","ContactFlowId":"FLOW","DestinationPhoneNumber":"+82215778000","SourcePhoneNumber":"+82215770000"}`,
		"TransferContact":                            `{"InstanceId":"INSTANCE","ContactId":"c","ContactFlowId":"FLOW","QueueId":"q"}`,
		"MonitorContact":                             `{"InstanceId":"INSTANCE","ContactId":"c","UserId":"u"}`,
		"StopContact":                                `{"InstanceId":"INSTANCE","ContactId":"c"}`,
		"CreateParticipant":                          `{"InstanceId":"INSTANCE","ContactId":"c","ParticipantDetails":{"ParticipantRole":"CUSTOM_BOT","DisplayName":"d"}}`,
		"UpdateParticipantRoleConfig":                `{"ChannelConfiguration":{"Chat":{"ParticipantTimerConfigList":[{"ParticipantRole":"CUSTOMER","TimerType":"IDLE","TimerValue":{"ParticipantTimerDurationInMinutes":2}}]}}}`,
		"AddParticipant":                             `{"Role":"THIRD_PARTY","UserId":"u"}`,
		"UpdateParticipant":                          `{"OnHold":true}`,
		"CreateFunction":                             `{"Name":"n","Url":"https://hooks.example.com/"}`,
		"UpdateFunction":                             `{"Name":"n","Url":"https://hooks.example.com/"}`,
		"CreateAudioDestination":                     `{"Name":"n","Url":"wss://bots.example.com/"}`,
		"UpdateAudioDestination":                     `{"Name":"n","Url":"wss://bots.example.com/"}`,
		"AssociateInstanceStorageConfig":             `{"ResourceType":"CALL_RECORDINGS","StorageConfig":{"StorageType":"S3","S3Config":{"BucketName":"acme-calls","BucketPrefix":"calls"}}}`,
		"UpdateInstanceStorageConfig":                `{"StorageConfig":{"StorageType":"S3","S3Config":{"BucketName":"acme-calls","BucketPrefix":"calls"}}}`,
		"UpdateRetentionPolicy":                      `{"Rules":[{"Days":30}]}`,
		"PlaceLegalHold":                             `{"Reason":"r"}`,
		"AssociateLambdaFunction":                    `{"FunctionArn":"arn:aws:lambda:us-east-1:1:function:f"}`,
		"GetCurrentMetricData":                       `{"Filters":{"Queues":["q"]},"CurrentMetrics":[{"Name":"AGENTS_ONLINE"}]}`,
		"GetMetricData": `{"StartTime":` + fiveMinutes(-12) + `,"EndTime":` + fiveMinutes(-1) + `,"Filters":{"Queues":["q"]},
			"HistoricalMetrics":[{"Name":"CONTACTS_QUEUED"}]}`,
		"GetMetricDataV2": `{"ResourceArn":"INSTANCE","StartTime":` + fiveMinutes(-12) + `,"EndTime":` + fiveMinutes(-1) + `,
			"Filters":[{"FilterKey":"QUEUE","FilterValues":["q"]}],"Metrics":[{"Name":"CONTACTS_QUEUED"}]}`,
		"PauseContact":                    `{"InstanceId":"INSTANCE","ContactId":"c"}`,
		"ResumeContact":                   `{"InstanceId":"INSTANCE","ContactId":"c"}`,
		"CreateView":                      `{"Name":"n","Status":"SAVED","Content":{"Template":"{}","Actions":["a"]}}`,
		"UpdateViewContent":               `{"Status":"SAVED","Content":{"Template":"{}","Actions":["a"]}}`,
		"UpdateViewMetadata":              `{"Name":"n"}`,
		"CreateViewVersion":               `{}`,
		"SearchViews":                     `{"InstanceId":"INSTANCE"}`,
		"CreatePredefinedAttribute":       `{"Name":"n","Values":{"StringList":["v"]}}`,
		"UpdatePredefinedAttribute":       `{"Values":{"StringList":["v"]}}`,
		"SearchPredefinedAttributes":      `{"InstanceId":"INSTANCE"}`,
		"SearchHoursOfOperations":         `{"InstanceId":"INSTANCE"}`,
		"SearchHoursOfOperationOverrides": `{"InstanceId":"INSTANCE"}`,
	}
}

func (w *world) body(op *rest.Operation, instance string) string {
	return strings.NewReplacer("INSTANCE", instance, "ADMINPROFILE", w.profile[identity.ProfileAdmin], "STATUS", w.status,
		"FLOW", w.flow).Replace(bodies()[op.Name] + peopleBodies()[op.Name])
}

// operations are all of both faces, with the prefix that they are served under.
func (w *world) operations() map[string][]*rest.Operation {
	w.t.Helper()
	c, err := connect.Table(w.o.Connect)
	must(w.t, err)
	a, err := admin.Table(w.o.Admin)
	must(w.t, err)
	return map[string][]*rest.Operation{"": c.Operations(), "/connect": c.Operations(), "/admin/v1": a.Operations()}
}

// foreign makes one resource of every kind in the other instance and gives their ids by path label.
func (w *world) foreign() map[string]string {
	w.t.Helper()
	ctx := w.t.Context()
	c := w.o.Connect
	ids := map[string]string{}
	first := func(label string, v resource.Object, err error) {
		w.t.Helper()
		must(w.t, err)
		ids[label] = v.Head().ID
	}
	q, err := c.Queues.GetByName(ctx, theirs, "BasicQueue")
	first("QueueId", q, err)
	h, err := c.Hours.GetByName(ctx, theirs, "Basic Hours")
	first("HoursOfOperationId", h, err)
	h, err = resource.Edit(ctx, c.Hours, theirs, h.ID, func(h *acd.Hours) error {
		h.Hours.Overrides = []calendar.Override{{ID: "their-override", Name: "o", Type: calendar.Closes, From: "2026-01-01", Till: "2026-01-01"}}
		return nil
	})
	first("HoursOfOperationId", h, err)
	ids["HoursOfOperationOverrideId"] = "their-override"
	r, err := c.RoutingProfiles.GetByName(ctx, theirs, "Basic routing profile")
	first("RoutingProfileId", r, err)
	u, err := c.Users.GetByName(ctx, theirs, "boss")
	first("UserId", u, err)
	s, err := c.AgentStatuses.GetByName(ctx, theirs, "Available")
	first("AgentStatusId", s, err)
	p, err := c.SecurityProfiles.GetByName(ctx, theirs, identity.ProfileAdmin)
	first("SecurityProfileId", p, err)
	fs, _, err := c.Flows.List(ctx, theirs, resource.Page{})
	first("ContactFlowId", fs[0], err)
	ids["resourceArn"] = url.PathEscape(resource.ARN(theirs, resource.KindFlow, fs[0].ID))
	module := &ivr.Flow{Meta: resource.Meta{InstanceID: theirs, Name: "M"}, Type: ivr.TypeModule, Content: goodFlow}
	first("ContactFlowModuleId", module, c.Modules.Create(ctx, module, ivr.Published))
	form := &view.View{Meta: resource.Meta{InstanceID: theirs, Name: "V"}, Draft: view.Content{Actions: []string{"a"}, Template: "{}"}}
	must(w.t, form.Set(form.Draft, view.Published))
	_, err = form.AddVersion("", "", form.CreatedAt)
	must(w.t, err)
	first("ViewId", form, c.Views.Create(ctx, form))
	ids["ViewVersion"] = "1"
	must(w.t, c.Attributes.Create(ctx, &identity.PredefinedAttribute{Meta: resource.Meta{InstanceID: theirs, Name: "their-attribute"}}))
	ids["Name"] = "their-attribute"
	alias := &ivr.Alias{Name: "live", Version: 1}
	_, err = c.Modules.CreateAlias(ctx, theirs, module.ID, alias)
	must(w.t, err)
	ids["AliasId"] = alias.ID
	ids["ContactFlowVersion"], ids["ContactFlowModuleVersion"] = "1", "1"
	for label, call := range map[string]struct{ method, path, body, member string }{
		"PromptId":           {"PUT", "/prompts/" + theirs, `{"Name":"p","S3Uri":"upload:"}`, "PromptId"},
		"PhoneNumberId":      {"POST", "/phone-number/claim", `{"InstanceId":"` + theirs + `","PhoneNumber":"3001"}`, "PhoneNumberId"},
		"TrunkId":            {"POST", "/admin/v1/trunks", `{"Name":"t","Addresses":["192.0.2.9"]}`, "TrunkId"},
		"FunctionId":         {"POST", "/admin/v1/functions", `{"Name":"f","Url":"https://hooks.example.com/"}`, "FunctionId"},
		"RecordStreamId":     {"POST", "/admin/v1/record-streams", `{"Name":"s","Type":"FILE"}`, "RecordStreamId"},
		"DispositionId":      {"POST", "/admin/v1/dispositions", `{"Code":"sold"}`, "DispositionId"},
		"AudioDestinationId": {"POST", "/admin/v1/audio-destinations", `{"Name":"a","Url":"wss://bots.example.com/"}`, "AudioDestinationId"},
		"DeviceId":           {"POST", "/admin/v1/devices", `{"Name":"d","UserId":"` + u.ID + `"}`, "DeviceId"},
	} {
		status, _, answer := w.do("boss", call.method, call.path, call.body)
		if status != http.StatusOK {
			w.t.Fatalf("%s: %d %s", label, status, answer)
		}
		ids[label] = member(w.t, answer, call.member)
	}
	quick := &acd.QuickConnect{Meta: resource.Meta{InstanceID: theirs, Name: "q"}, Type: acd.QuickNumber, Number: "+82215778000"}
	group := &identity.HierarchyGroup{Meta: resource.Meta{InstanceID: theirs, Name: "g"}, Level: 1}
	first("HierarchyGroupId", group, c.Groups.Create(ctx, group))
	first("QuickConnectId", quick, c.QuickConnects.Create(ctx, quick))
	w.records.records = append(w.records.records, &contact.Record{
		ID: "foreign-contact", InstanceID: theirs, Recordings: []contact.Recording{{Location: "k", Status: contact.RecordingAvailable}},
	})
	ids["ContactId"], ids["InitialContactId"] = "foreign-contact", "foreign-contact"
	ids["AccessKeyId"] = w.keys["boss"].ID
	ids["Number"] = "1"
	ids["CallbackId"] = "their-callback"
	place := &recording.StorageConfig{Meta: resource.Meta{InstanceID: theirs, Name: string(recording.CallRecordings)}, Bucket: "acme-calls", Prefix: "theirs"}
	first("AssociationId", place, c.StorageConfigs.Create(ctx, place))
	ids["AttributeType"] = "NO_SUCH_ATTRIBUTE"
	return ids
}

// fill puts values into the labels of a path.
func fill(path string, label func(string) string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if p == "{Language}" {
			parts[i] = "ko-KR"
		} else if strings.HasPrefix(p, "{") {
			parts[i] = label(strings.Trim(p, "{}"))
		}
	}
	return strings.Join(parts, "/")
}

func TestAnotherInstanceLooksLikeNone(t *testing.T) {
	w := newWorld(t)
	ids := w.foreign()
	before := w.versions()
	const nothing = "99999999-9999-4999-8999-999999999999"
	for prefix, ops := range w.operations() {
		for _, op := range ops {
			ask := func(instance string, id func(string) string, body string) (int, string, string) {
				path := prefix + fill(op.Path, func(label string) string {
					if label == "InstanceId" {
						return instance
					}
					return id(label)
				})
				if op.Name == "DisassociatePhoneNumberContactFlow" {
					path += "?instanceId=" + instance
				}
				status, name, answer := w.do("admin", op.Method, path, body)
				return status, name, string(answer)
			}
			theirID := func(label string) string { return ids[label] }
			noID := func(string) string { return nothing }

			// Their instance, with what is really there, against an instance that nobody has.
			if strings.Contains(op.Path, "{InstanceId}") || strings.Contains(w.body(op, ours), ours) {
				s1, n1, a1 := ask(theirs, theirID, w.body(op, theirs))
				s2, n2, a2 := ask(nothing, theirID, w.body(op, nothing))
				if s1 != http.StatusNotFound || n1 != "ResourceNotFoundException" || s1 != s2 || n1 != n2 || a1 != a2 {
					t.Errorf("%s%s: their instance %d %s %s, none %d %s %s", prefix, op.Name, s1, n1, a1, s2, n2, a2)
				}
			}
			// Our instance with an id of theirs, against an id that nobody has.
			if rest := strings.ReplaceAll(op.Path, "{InstanceId}", ""); !strings.Contains(rest, "{") {
				continue
			}
			s1, n1, a1 := ask(ours, theirID, w.body(op, ours))
			s2, n2, a2 := ask(ours, noID, w.body(op, ours))
			for _, id := range ids {
				if id != "1" {
					a1 = strings.ReplaceAll(a1, id, nothing)
				}
			}
			if s1 != http.StatusNotFound || n1 != "ResourceNotFoundException" || s1 != s2 || n1 != n2 || normal(a1) != normal(a2) {
				t.Errorf("%s%s: their id %d %s %s, no id %d %s %s", prefix, op.Name, s1, n1, a1, s2, n2, a2)
			}
			// The same by ARN.
			s3, n3, _ := ask(ours, func(label string) string { return arnOf(label, ids[label]) }, w.body(op, ours))
			if s3 != http.StatusNotFound || n3 != "ResourceNotFoundException" {
				t.Errorf("%s%s: their ARN %d %s", prefix, op.Name, s3, n3)
			}
		}
	}
	if d := cmp.Diff(before, w.versions()); d != "" {
		t.Errorf("something of theirs was changed: %s", d)
	}
}

// normal forgets what a recording's number was.
func normal(s string) string {
	return strings.ReplaceAll(s, `\"1\"`, `\"99999999-9999-4999-8999-999999999999\"`)
}

// arnOf is an escaped ARN in the other instance.
func arnOf(label, id string) string {
	kinds := map[string]resource.Kind{
		"QueueId": resource.KindQueue, "HoursOfOperationId": resource.KindHours, "RoutingProfileId": resource.KindRoutingProfile,
		"UserId": resource.KindUser, "AgentStatusId": resource.KindAgentStatus, "SecurityProfileId": resource.KindSecurityProfile,
		"QuickConnectId": resource.KindQuickConnect, "HierarchyGroupId": resource.KindHierarchyGroup,
		"FunctionId": resource.KindFunction, "AudioDestinationId": resource.KindAudioDestination,
		"ContactFlowId": resource.KindFlow, "ContactFlowModuleId": resource.KindFlowModule, "PromptId": resource.KindPrompt, "PhoneNumberId": resource.KindPhoneNumber,
		"InitialContactId": rest.KindContact, "RecordStreamId": resource.KindRecordStream, "DispositionId": resource.KindDisposition,
		"TrunkId": resource.KindTrunk, "DeviceId": resource.KindDevice, "ContactId": rest.KindContact,
	}
	kind, ok := kinds[label]
	if !ok {
		return id
	}
	return strings.NewReplacer("/", "%2F", ":", "%3A").Replace(resource.ARN(theirs, kind, id))
}

// versions are names and versions of everything in the other instance.
func (w *world) versions() []string {
	w.t.Helper()
	ctx, c := w.t.Context(), w.o.Connect
	var out []string
	add := func(vs []string, err error) {
		w.t.Helper()
		must(w.t, err)
		out = append(out, vs...)
	}
	add(describeAll(ctx, c.Queues))
	add(describeAll(ctx, c.Hours))
	add(describeAll(ctx, c.QuickConnects))
	add(describeAll(ctx, c.RoutingProfiles))
	add(describeAll(ctx, c.Users))
	add(describeAll(ctx, c.AgentStatuses))
	add(describeAll(ctx, c.SecurityProfiles))
	add(describeAll(ctx, c.Prompts))
	add(describeAll(ctx, c.Numbers))
	add(describeAll(ctx, c.Devices))
	add(describeAll(ctx, c.AccessKeys))
	add(describeAll(ctx, w.o.Admin.Trunks))
	add(describeAll(ctx, c.StorageConfigs))
	add(describeAll(ctx, w.o.Admin.RetentionPolicies))
	slices.Sort(out)
	return out
}

func TestReferencesDoNotReachAnotherInstance(t *testing.T) {
	w := newWorld(t)
	ids := w.foreign()
	const nothing = "99999999-9999-4999-8999-999999999999"
	for name, call := range map[string]struct{ method, path, body, label string }{
		"queue with their hours":        {"PUT", "/queues/" + ours, `{"Name":"n","HoursOfOperationId":"ID"}`, "HoursOfOperationId"},
		"profile with their queue":      {"POST", "/routing-profiles/" + ours + "/" + w.routing + "/default-outbound-queue", `{"DefaultOutboundQueueId":"ID"}`, "QueueId"},
		"user with their profile":       {"PUT", "/users/" + ours, `{"Username":"u","Password":"Passw0rd-ok","SecurityProfileIds":["` + w.profile["Agent"] + `"],"RoutingProfileId":"ID"}`, "RoutingProfileId"},
		"user with their permissions":   {"PUT", "/users/" + ours, `{"Username":"u","Password":"Passw0rd-ok","SecurityProfileIds":["ID"],"RoutingProfileId":"` + w.routing + `"}`, "SecurityProfileId"},
		"device of their user":          {"POST", "/admin/v1/devices", `{"Name":"n","UserId":"ID"}`, "UserId"},
		"queue calling by their number": {"POST", "/queues/" + ours + "/" + w.queue + "/outbound-caller-config", `{"OutboundCallerConfig":{"OutboundCallerIdNumberId":"ID"}}`, "PhoneNumberId"},
	} {
		s1, n1, a1 := w.do("admin", call.method, call.path, strings.ReplaceAll(call.body, "ID\"", ids[call.label]+`"`))
		s2, n2, a2 := w.do("admin", call.method, call.path, strings.ReplaceAll(call.body, "ID\"", nothing+`"`))
		if s1 < 400 || s1 != s2 || n1 != n2 || strings.ReplaceAll(string(a1), ids[call.label], nothing) != string(a2) {
			t.Errorf("%s: %d %s %s, but for nothing %d %s %s", name, s1, n1, a1, s2, n2, a2)
		}
	}
}
