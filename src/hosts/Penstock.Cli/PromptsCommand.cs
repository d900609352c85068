using System.CommandLine;
using System.Globalization;
using DiffPlex.Renderer;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Kernel;
using Penstock.Prompts;

namespace Penstock.Cli;

/// <summary>
/// <c>penstock prompts</c>: template files checked and stored, labels moved and moved back, versions beside each other. On the embedded store the server
/// must be stopped, because it owns the folder; <c>/v1/prompts</c> does the same while it runs.
/// </summary>
internal static class PromptsCommand
{
    private const string UsualFolder = "prompts";
    private const int ShownMoves = 50;

    private static readonly Option<string> Tenant = new("--tenant") { Description = "Whose templates.", DefaultValueFactory = _ => TenantId.Default.Value };
    private static readonly Option<string> Folder = new("--folder") { Description = "Where the files are.", DefaultValueFactory = _ => UsualFolder };
    private static readonly Option<string> Reason = new("--reason") { Description = "Why; stands in the history.", DefaultValueFactory = _ => "" };
    private static readonly Argument<string> Name = new("name") { Description = "The template's name." };
    private static readonly Argument<string> LabelName = new("label") { Description = "Such as production or staging." };

    public static Command Create() => new("prompts", "Prompt templates: their files, versions and labels.") { List(), Check(), Push(), Diff(), Label(), Rollback(), History() };

    private static Command List()
    {
        var command = new Command("list", "Every template, its versions and where its labels point.") { Tenant };
        command.SetAction((parsed, ct) => WithPromptsAsync(async prompts =>
        {
            var tenant = new TenantId(parsed.GetValue(Tenant)!);
            var labels = await prompts.LabelsAsync(tenant, null, ct);
            foreach (var template in (await prompts.ListAsync(tenant, null, ct)).GroupBy(entry => entry.Name).OrderBy(group => group.Key, StringComparer.Ordinal))
            {
                Console.WriteLine(template.Key);
                foreach (var entry in template)
                {
                    var here = labels.Where(label => label.Name == entry.Name && label.Hash == entry.Hash).Select(label => label.Label);
                    var from = entry.At == DateTimeOffset.UnixEpoch ? "comes with this build" : string.Create(CultureInfo.InvariantCulture, $"{entry.At:yyyy-MM-dd HH:mm:ss}Z by {entry.By}");
                    Console.WriteLine($"  {entry.Hash[..PromptVersionId.ShownDigits]}  {from}  {string.Join(", ", here)}".TrimEnd());
                }
            }

            return 0;
        }));
        return command;
    }

    private static Command Check()
    {
        var command = new Command("check", "Check every file of the folder and tell all errors, each with its line. Touches no store. Exit code 2 where there is one.") { Folder };
        command.SetAction(parsed =>
        {
            if (Read(parsed.GetValue(Folder)!) is not { } templates) return 2;
            foreach (var template in templates) Console.WriteLine($"{template.Id}  {template.UseCase}  {template.Description}");
            return 0;
        });
        return command;
    }

    private static Command Push()
    {
        var label = new Option<string?>("--label") { Description = "Point this label at each version too, such as staging." };
        var command = new Command("push", "Check every file of the folder and store each as a version; one that is there already is not changed. Nothing is stored where a file has an error.") { Folder, label, Reason, Tenant };
        command.SetAction((parsed, ct) => Read(parsed.GetValue(Folder)!) is not { } templates ? Task.FromResult(2) : WithPromptsAsync(async prompts =>
        {
            var tenant = new TenantId(parsed.GetValue(Tenant)!);
            foreach (var template in templates)
            {
                var added = await prompts.AddAsync(tenant, template, Environment.UserName, ct);
                Console.WriteLine($"{template.Id} {(added ? "added" : "is there already")}");
                if (parsed.GetValue(label) is { } name) Tell(name, await prompts.MoveAsync(tenant, At(template), LabelOf(name), Mover(parsed.GetValue(Reason)!), null, ct));
            }

            return 0;
        }));
        return command;
    }

    private static Command Diff()
    {
        var from = new Argument<string>("a") { Description = "'name:label', 'name@hash', 'name', or a file." };
        var to = new Argument<string>("b") { Description = "The other." };
        var command = new Command("diff", "Two versions line by line, front matter included. Exit code 1 where they differ.") { from, to, Tenant };
        command.SetAction((parsed, ct) =>
        {
            var (a, b) = (parsed.GetValue(from)!, parsed.GetValue(to)!);
            return File.Exists(a) && File.Exists(b)
                ? Task.FromResult(Show(Load(a), Load(b)))
                : WithPromptsAsync(async prompts => Show(await FindAsync(prompts, parsed.GetValue(Tenant)!, a, ct), await FindAsync(prompts, parsed.GetValue(Tenant)!, b, ct)));
        });
        return command;
    }

    private static Command Label()
    {
        var version = new Argument<string>("version") { Description = "8 or more digits of a hash, 'name@hash' or 'name:label'." };
        var expected = new Option<string?>("--expected") { Description = "Digits of the hash the label must point at now; refused where it does not." };
        var command = new Command("label", "Point a label at a version. Servers see it within 5 s.") { Name, LabelName, version, expected, Reason, Tenant };
        command.SetAction((parsed, ct) => WithPromptsAsync(async prompts =>
        {
            var text = parsed.GetValue(version)!;
            var name = parsed.GetValue(Name)!;
            var to = PromptReference.Parse(text.Contains(':', StringComparison.Ordinal) || text.Contains('@', StringComparison.Ordinal) ? text : $"{name}@{text}", "version");
            if (to.Name != name) throw new RefusedException(Refusal.Invalid("version", $"'{text}' is a version of '{to.Name}', and the label is one of '{name}'."));
            var label = LabelOf(parsed.GetValue(LabelName)!);
            Tell(label, await prompts.MoveAsync(new TenantId(parsed.GetValue(Tenant)!), to, label, Mover(parsed.GetValue(Reason)!), parsed.GetValue(expected), ct));
            return 0;
        }));
        return command;
    }

    private static Command Rollback()
    {
        var command = new Command("rollback", "Move a label one step back, to where it pointed before.") { Name, LabelName, Reason, Tenant };
        command.SetAction((parsed, ct) => WithPromptsAsync(async prompts =>
        {
            var reason = parsed.GetValue(Reason) is { Length: > 0 } given ? given : "rolled back";
            Tell(parsed.GetValue(LabelName)!, await prompts.RollBackAsync(new TenantId(parsed.GetValue(Tenant)!), parsed.GetValue(Name)!, parsed.GetValue(LabelName)!, Mover(reason), ct));
            return 0;
        }));
        return command;
    }

    private static Command History()
    {
        var command = new Command("history", "Who moved a template's labels, from where to where, and why; newest first.") { Name, Tenant };
        command.SetAction((parsed, ct) => WithPromptsAsync(async prompts =>
        {
            foreach (var move in await prompts.HistoryAsync(new TenantId(parsed.GetValue(Tenant)!), parsed.GetValue(Name)!, ShownMoves, ct))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{move.At:yyyy-MM-dd HH:mm:ss}Z  {move.Label,-12} {Short(move.From)} → {Short(move.To)}  {move.By}  {move.Reason}").TrimEnd());
            return 0;
        }));
        return command;
    }

    private static async Task<int> WithPromptsAsync(Func<PromptVersions, Task<int>> run)
    {
        try
        {
            return await Local.WithStoreAsync(services => run(services.GetRequiredService<PromptVersions>()));
        }
        catch (RefusedException e)
        {
            Console.Error.WriteLine(e.Refusal.Message);
            return 2;
        }
    }

    /// <summary>Null where any file has an error; all are told.</summary>
    private static IReadOnlyList<PromptTemplate>? Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            Console.Error.WriteLine($"There is no folder '{folder}'. Name one with --folder.");
            return null;
        }

        var (templates, errors) = PromptFolder.Read(folder);
        foreach (var error in errors) Console.Error.WriteLine(error);
        if (errors.Count == 0 && templates.Count == 0) Console.Error.WriteLine($"The folder '{folder}' has no .md file.");
        return errors.Count == 0 && templates.Count > 0 ? templates : null;
    }

    private static async Task<(string Name, string Text)> FindAsync(PromptVersions prompts, string tenant, string text, CancellationToken ct)
    {
        if (File.Exists(text)) return Load(text);
        var template = await prompts.FindAsync(new TenantId(tenant), PromptReference.Parse(text, "version"), ct);
        return (template.Id.ToString(), template.Text);
    }

    private static (string Name, string Text) Load(string file) => (file, File.ReadAllText(file).ReplaceLineEndings("\n").TrimEnd() + '\n');

    private static int Show((string Name, string Text) a, (string Name, string Text) b)
    {
        if (a.Text == b.Text)
        {
            Console.WriteLine($"{a.Name} and {b.Name} are the same.");
            return 0;
        }

        Console.Write(UnidiffRenderer.GenerateUnidiff(a.Text, b.Text, a.Name, b.Name));
        return 1;
    }

    private static void Tell(string label, PromptMove? move) =>
        Console.WriteLine(move is null ? $"{label} points there already" : $"{move.Name}:{label}  {Short(move.From)} → {Short(move.To)}");

    private static string LabelOf(string text) => PromptReference.TryParse($"x:{text}", out _) ? text : throw new RefusedException(Refusal.Invalid("label", $"'{text}' is no label: 1 to 32 small letters, digits, '.', '_' or '-', a letter first."));

    private static PromptReference At(PromptTemplate template) => new(template.Name, null, template.Id.Hash);

    private static PromptMover Mover(string reason) => new(Environment.UserName, reason);

    private static string Short(string? hash) => hash?[..PromptVersionId.ShownDigits] ?? "(nothing)";
}
