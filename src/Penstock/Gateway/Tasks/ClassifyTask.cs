using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>Chooses one of the labels, or all that fit.</summary>
internal sealed class ClassifyTask : TextTask
{
    private const int MostLabels = 100;

    public override UseCase UseCase => UseCase.Classify;

    public override IReadOnlyList<string> Fields { get; } = ["labels", "multiple"];

    public override TaskAsk Read(JsonView input)
    {
        var text = input.Required("text").NonEmptyText();
        var labels = Labels(input.Required("labels"));
        var multiple = input.Optional("multiple")?.Flag() ?? false;
        var field = multiple ? "labels" : "label";
        var values = Values(("text", text), ("labels", string.Join(", ", labels)), ("which", multiple ? "every label, or none, that" : "the one label that best"));
        return new TaskAsk(values, _ => TaskForm.Texts(field, labels, multiple), answer => TaskForm.Read(answer, json =>
        {
            var named = multiple ? json.Required(field).Items().Select(item => item.Text()) : [json.Required(field).Text()];
            var chosen = named.Where(labels.Contains).Distinct().ToArray();
            if (multiple) return TaskResult.Of(output => TaskForm.WriteArray(output, field, chosen));
            return chosen.Length > 0 ? TaskResult.Of(output => output.WriteString(field, chosen[0])) : TaskResult.No("named none of the labels");
        }));
    }

    private static string[] Labels(JsonView labels)
    {
        var found = labels.Items().Select(label => label.NonEmptyText()).ToArray();
        if (found.Length is < 2 or > MostLabels) throw labels.Bad($"must hold 2 to {MostLabels} labels");
        return found.Distinct().Count() == found.Length ? found : throw labels.Bad("must not name a label twice");
    }
}
