using System.Globalization;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Gateway.Tasks;

/// <summary>Short ways to go on from a text.</summary>
internal sealed class SuggestTask : TextTask
{
    private const string Field = "suggestions";
    private const int Most = 10;
    private const int Usual = 3;

    public override UseCase UseCase => UseCase.Suggest;

    public override IReadOnlyList<string> Fields { get; } = ["count"];

    public override TaskAsk Read(JsonView input)
    {
        var text = input.Required("text").NonEmptyText();
        var count = input.Optional("count")?.Whole(1, Most) ?? Usual;
        return new TaskAsk(Values(("text", text), ("count", count.ToString(CultureInfo.InvariantCulture))), _ => TaskForm.Texts(Field, null, array: true), answer => TaskForm.Read(answer, json =>
        {
            var texts = json.Required(Field).Items().Select(item => item.Text()).Where(item => item.Length > 0).Take(count).ToArray();
            return TaskResult.Of(output => TaskForm.WriteArray(output, Field, texts));
        }));
    }
}
