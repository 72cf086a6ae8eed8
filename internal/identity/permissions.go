package identity

import (
	"slices"

	"ullim/internal/resource"
)

// Permissions that the API asks for. Names are those of Amazon Connect (A8 of the specification, "Resource.Action");
// Trunks, Devices, Instance and System are ours.
const (
	QueuesView             = "Queues.View"
	QueuesCreate           = "Queues.Create"
	QueuesEdit             = "Queues.Edit"
	QueuesEnableAndDisable = "Queues.EnableAndDisable"
	QueuesDelete           = "Queues.Delete"
	HoursView              = "HoursOfOperation.View"
	HoursCreate            = "HoursOfOperation.Create"
	HoursEdit              = "HoursOfOperation.Edit"
	HoursDelete            = "HoursOfOperation.Delete"
	RoutingView            = "RoutingPolicies.View"
	RoutingCreate          = "RoutingPolicies.Create"
	RoutingEdit            = "RoutingPolicies.Edit"
	RoutingDelete          = "RoutingPolicies.Delete"
	GroupingView           = "AgentGrouping.View"
	GroupingCreate         = "AgentGrouping.Create"
	GroupingEdit           = "AgentGrouping.Edit"
	GroupingDelete         = "AgentGrouping.Delete"
	SecurityProfilesCreate = "SecurityProfiles.Create"
	SecurityProfilesEdit   = "SecurityProfiles.Edit"
	SecurityProfilesDelete = "SecurityProfiles.Delete"
	UsersView              = "Users.View"
	UsersCreate            = "Users.Create"
	UsersEdit              = "Users.Edit"
	UsersEditPermission    = "Users.EditPermission"
	UsersDelete            = "Users.Delete"
	AgentStatesView        = "AgentStates.View"
	AgentStatesCreate      = "AgentStates.Create"
	AgentStatesEdit        = "AgentStates.Edit"
	SecurityProfilesView   = "SecurityProfiles.View"
	FlowsView              = "ContactFlows.View"
	FlowsCreate            = "ContactFlows.Create"
	FlowsEdit              = "ContactFlows.Edit"
	FlowsPublish           = "ContactFlows.Publish"
	FlowsDelete            = "ContactFlows.Delete"
	ModulesView            = "ContactFlowModules.View"
	ModulesCreate          = "ContactFlowModules.Create"
	ModulesEdit            = "ContactFlowModules.Edit"
	ModulesDelete          = "ContactFlowModules.Delete"
	PromptsView            = "Prompts.View"
	PromptsCreate          = "Prompts.Create"
	PromptsEdit            = "Prompts.Edit"
	PromptsDelete          = "Prompts.Delete"
	QuickConnectsView      = "TransferDestinations.View"
	QuickConnectsCreate    = "TransferDestinations.Create"
	QuickConnectsEdit      = "TransferDestinations.Edit"
	QuickConnectsDelete    = "TransferDestinations.Delete"
	NumbersView            = "PhoneNumbers.View"
	NumbersClaim           = "PhoneNumbers.Claim"
	NumbersEdit            = "PhoneNumbers.Edit"
	NumbersRelease         = "PhoneNumbers.Release"
	BasicAgentAccess       = "BasicAgentAccess"
	OutboundCallAccess     = "OutboundCallAccess"
	RealTimeMetrics        = "RealTimeMetrics"
	HistoricalMetrics      = "HistoricalMetrics"
	ContactSearch          = "ContactSearch.View"
	ContactEdit            = "ContactAttributes.Edit" // what is known about a contact: name, attributes, tags
	HistoricalChanges      = "HistoricalChanges.View" // the audit trail
	DispositionsView       = "Dispositions.View"
	DispositionsEdit       = "Dispositions.Edit"
	StreamsView            = "RecordStreams.View" // where contact records and events go
	StreamsEdit            = "RecordStreams.Edit"
	ListenRecordings       = "ListenCallRecordings"
	DownloadRecordings     = "DownloadCallRecordings"
	DeleteRecordings       = "DeleteCallRecordings" // and holds, which keep from deleting
	ManagerListenIn        = "ManagerListenIn"
	InstanceView           = "Instance.View"
	InstanceEdit           = "Instance.Edit"
	TrunksView             = "Trunks.View"
	TrunksEdit             = "Trunks.Edit"
	DevicesView            = "Devices.View"
	DevicesEdit            = "Devices.Edit"
	ViewsView              = "Views.View"
	ViewsEdit              = "Views.Edit"
	AttributesView         = "PredefinedAttributes.View"
	AttributesEdit         = "PredefinedAttributes.Edit"
	SystemView             = "System.View"
	SecurityView           = "Security.View" // bans, dry runs of calls, outbound policy
	SecurityEdit           = "Security.Edit"
)

// Permissions are all permissions that a security profile may hold.
func Permissions() []string {
	list := []string{
		BasicAgentAccess, OutboundCallAccess, RealTimeMetrics, ListenRecordings, DownloadRecordings,
		"AccessMetrics", HistoricalMetrics, "AgentActivityAudit", "DeleteCallRecordings", "RedactedData",
		ManagerListenIn, "RestrictTaskCreation", "ChatTestMode",
		ContactSearch, "ContactAttributes.View", ContactEdit, DispositionsView, DispositionsEdit, StreamsView, StreamsEdit, "AgentTimeCard.View", "HistoricalChanges.View",
		UsersEditPermission, QueuesEnableAndDisable, "AgentStates.EnableAndDisable", FlowsPublish, ViewsView, ViewsEdit, AttributesView, AttributesEdit,
		NumbersView, NumbersClaim, NumbersEdit, NumbersRelease,
		InstanceView, InstanceEdit, TrunksView, TrunksEdit, DevicesView, DevicesEdit, SystemView,
		SecurityView, SecurityEdit,
	}
	for _, resourceName := range []string{
		"RoutingPolicies", "TransferDestinations", "HoursOfOperation", "Queues", "TaskTemplates", "Prompts",
		"ContactFlows", "ContactFlowModules", "Users", "AgentGrouping", "SecurityProfiles", "AgentStates",
		"MetricsReports", "ReportSchedules", "Evaluation", "EvaluationForms", "Rules", "Campaigns",
	} {
		for _, action := range []string{"View", "Create", "Edit", "Delete"} {
			list = append(list, resourceName+"."+action)
		}
	}
	list = append(list, "MetricsReports.Publish", "MetricsReports.Schedule", "MetricsReports.Share")
	slices.Sort(list)
	return list
}

// Names of the default security profiles, as in Amazon Connect.
const (
	ProfileAdmin             = "Admin"
	ProfileAgent             = "Agent"
	ProfileCallCenterManager = "CallCenterManager"
	ProfileQualityAnalyst    = "QualityAnalyst"
)

// DefaultSecurityProfiles are the four profiles that every instance begins with, without ids.
func DefaultSecurityProfiles(instanceID string) []*SecurityProfile {
	agent := []string{BasicAgentAccess, OutboundCallAccess}
	analyst := []string{
		BasicAgentAccess, "AccessMetrics", RealTimeMetrics, HistoricalMetrics, ContactSearch,
		"ContactAttributes.View", ListenRecordings, ManagerListenIn, "MetricsReports.View", "MetricsReports.Create",
		"MetricsReports.Edit", "MetricsReports.Schedule", "Evaluation.View", "Evaluation.Create", "Evaluation.Edit",
		"EvaluationForms.View", "AgentActivityAudit", "Queues.View", UsersView,
	}
	// A manager does everything with routing, people and metrics, but nothing with the system underneath and nothing
	// that would let them raise themselves to administrator.
	system := []string{
		InstanceEdit, StreamsView, StreamsEdit, TrunksView, TrunksEdit, SystemView, SecurityView, SecurityEdit, "SecurityProfiles.Create", "SecurityProfiles.Edit",
		"SecurityProfiles.Delete", "DeleteCallRecordings", "RedactedData", "RestrictTaskCreation", NumbersClaim,
		NumbersRelease, "Campaigns.Delete",
	}
	manager := slices.DeleteFunc(Permissions(), func(p string) bool { return slices.Contains(system, p) })

	profile := func(name, description string, permissions []string) *SecurityProfile {
		slices.Sort(permissions)
		return &SecurityProfile{
			Meta:        resource.Meta{InstanceID: instanceID, Name: name},
			Description: description, Permissions: permissions,
		}
	}
	admin := slices.DeleteFunc(Permissions(), func(p string) bool { return p == "RestrictTaskCreation" })
	return []*SecurityProfile{
		profile(ProfileAdmin, "May do everything", admin),
		profile(ProfileAgent, "Takes and makes calls", agent),
		profile(ProfileCallCenterManager, "Manages routing, people and metrics", manager),
		profile(ProfileQualityAnalyst, "Watches metrics, listens to contacts", analyst),
	}
}

// Can reports whether the principal holds a permission; the empty permission is held by all.
func (p *Principal) Can(permission string) bool {
	return p != nil && (permission == "" || p.Permissions[permission])
}
