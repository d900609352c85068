using Amazon.CDK;
using Constructs;

namespace Penstock.Infra;

/// <summary>Every stack of one deployment, in the order in which they are deployed, with the tags by which its cost is found.</summary>
internal static class Deployment
{
    /// <summary>The tags that everything carries which can carry any. Activate them once as cost allocation tags in the payer's billing console.</summary>
    public static IReadOnlyDictionary<string, string> CostTags(DeploySettings settings, string component) => new Dictionary<string, string>
    {
        ["Project"] = "penstock",
        ["Environment"] = settings.Environment,
        ["Deployment"] = settings.Name,
        ["CostCenter"] = settings.CostCenter,
        ["Component"] = component,
    };

    public static IReadOnlyList<Stack> AddTo(Construct app, DeploySettings settings)
    {
        Stack[] stacks =
        [
            Tagged(new AISecurityStack(app, $"AISecurityStack-{settings.Environment}", settings), settings, "security"),
            Tagged(new AIDataStack(app, $"AIDataStack-{settings.Environment}", settings), settings, "data"),
            Tagged(new AIMonitoringStack(app, $"AIMonitoringStack-{settings.Environment}", settings), settings, "monitoring"),
        ];
        return stacks;
    }

    private static Stack Tagged(Stack stack, DeploySettings settings, string component)
    {
        foreach (var (name, value) in CostTags(settings, component)) Tags.Of(stack).Add(name, value);
        return stack;
    }
}
