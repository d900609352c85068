using Microsoft.AspNetCore.Http;
using Penstock.Gateway.Routing;
using Penstock.Gateway.Selecting;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Gateway;

/// <summary>Says where a call may go: where its model's name leads or, where the client leaves that to us, where the tier leads that is chosen for it.</summary>
internal sealed class Planner(Router router, SelectionSection selection)
{
    public SelectionOptions Selection => selection.Current;

    /// <summary>Null where the client names what is to answer.</summary>
    public Choice? Choose(HttpContext http, ChatCall call)
    {
        if (!Selection.Names.Contains(call.Model) || router.IsNamed(call.Model)) return null;
        var task = http.Request.Headers[Selecting.Selection.TaskHeader].ToString() is { Length: > 0 } header ? header : call.Task;
        return Selecting.Selection.Choose(call, RequestEdge.RouteOf(http), task, Selection);
    }

    /// <summary>The targets of the plan begin with one that the call can cross to; throws what the first objects to where there is none.</summary>
    public Plan PlanFor(HttpContext http, Caller caller, ChatCall call, Choice? choice) =>
        router.Plan(choice?.Tier ?? call.Model, Router.Chat, caller, Router.OwnKeyOf(http.Request.Headers), call.Model).For(target => Objection(target, call));

    /// <summary>What the target cannot take of the call; null where it can take all.</summary>
    public static Refusal? Objection(Target target, ChatCall call) => target.Provider.Objects(new ProviderCall(call, target.Model, target.Cap(call.MaxOutputTokens), default));
}
