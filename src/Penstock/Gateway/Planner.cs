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

    /// <summary>
    /// The targets of the plan begin with one that the call can cross to; throws what the first objects to where there is none. Where we chose a small tier, the
    /// standard one comes behind it: that nobody of our own choice answers is no reason for the client to get nothing.
    /// </summary>
    /// <param name="behind">The target that answered badly, where another choice is made for it.</param>
    public Plan PlanFor(HttpContext http, Caller caller, ChatCall call, Choice? choice, Target? behind = null)
    {
        var ownKey = Router.OwnKeyOf(http.Request.Headers);
        var plan = router.Plan(choice?.Tier ?? call.Model, Router.Chat, caller, ownKey, call.Model, behind);
        if (choice is not null && choice.Tier != Selection.Standard && choice.Tier != Selection.Reasoning) plan = Backed(plan);
        return plan.For(target => Objection(target, call));

        Plan Backed(Plan chosen)
        {
            try
            {
                return chosen.Then(router.Plan(Selection.Standard, Router.Chat, caller, ownKey, call.Model, chosen.First), Selection.Standard);
            }
            catch (RefusedException)
            {
                // The key may not use the standard tier, or nothing of it is configured: the chosen one stands alone.
                return chosen;
            }
        }
    }

    /// <summary>What the target cannot take of the call; null where it can take all.</summary>
    public static Refusal? Objection(Target target, ChatCall call) => target.Provider.Objects(new ProviderCall(call, target.Model, target.Cap(call.MaxOutputTokens), default));
}
