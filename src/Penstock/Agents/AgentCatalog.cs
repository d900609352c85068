using System.Collections.Frozen;
using Microsoft.Extensions.Logging;
using Penstock.Agents.Definitions;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Agents;

/// <summary>Every agent there is now: those of the operator's folder, and those that come with this build where the folder has none of the name.</summary>
internal sealed partial class AgentCatalog(ILogger<AgentCatalog> log)
{
    private readonly Lock _changing = new();
    private readonly IReadOnlyList<AgentDefinition> _shipped = ShippedAgents.Read();
    private AgentFolder? _folder;
    private string? _told;
    private volatile FrozenDictionary<string, AgentDefinition>? _current;

    /// <summary>By name.</summary>
    public IReadOnlyList<AgentDefinition> Current => [.. Now.Values.OrderBy(definition => definition.Name, StringComparer.Ordinal)];

    private FrozenDictionary<string, AgentDefinition> Now => _current ?? Merged([]);

    /// <summary>Throws 404 that names what there is.</summary>
    public AgentDefinition Find(string name)
    {
        if (Now.TryGetValue(name, out var found)) return found;
        var refused = Refused().FirstOrDefault(file => file.Name == name).File;
        var why = refused is null ? "" : $" The file '{refused}' would be it, and has errors: they are in the log, and 'penstock agents check' tells them.";
        throw new RefusedException(new Refusal(RefusalKind.NotFound, "agent_not_found", $"There is no agent '{Shown(name)}'.{why} There are: {string.Join(", ", Current.Select(definition => definition.Name))}."));
    }

    /// <summary>What a <see cref="AgentDefinition.Text"/> says, also where a newer build wrote it. Throws 400 where it is none.</summary>
    public static AgentDefinition Read(string text) => AgentFile.Pinned(text);

    /// <summary>From now on the agents are those of this folder; a file with an error is told and left out.</summary>
    public void Use(string folder)
    {
        lock (_changing)
        {
            if (_folder?.Path == folder) return;
            _folder = new AgentFolder(folder, [.. _shipped.Select(definition => definition.Name)]);
            Take(() =>
            {
                _folder.Load();
                return true;
            });
        }
    }

    /// <summary>Takes in what changed in the folder since the last look, once it has stood still for one.</summary>
    public void Look()
    {
        lock (_changing)
        {
            if (_folder is { } folder) Take(folder.Look);
        }
    }

    private void Take(Func<bool> read)
    {
        try
        {
            if (read()) Changed(_folder!);
            _told = null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (e.Message == _told) return;
            _told = e.Message;
            LogUnreadable(_folder!.Path, e.Message);
        }
        finally
        {
            _current ??= Merged([]);
        }
    }

    private void Changed(AgentFolder folder)
    {
        foreach (var error in folder.Errors) LogRefused(error.ToString());
        _current = Merged(folder.Definitions);
        if (folder.Definitions.Count > 0 || folder.Errors.Count > 0) LogRead(folder.Path, folder.Definitions.Count, folder.Refused.Count);
    }

    private FrozenDictionary<string, AgentDefinition> Merged(IEnumerable<AgentDefinition> own)
    {
        var all = _shipped.ToDictionary(definition => definition.Name, StringComparer.Ordinal);
        foreach (var definition in own) all[definition.Name] = definition;
        return all.ToFrozenDictionary(StringComparer.Ordinal);
    }

    private IReadOnlyList<(string File, string? Name)> Refused()
    {
        lock (_changing) return _folder?.Refused ?? [];
    }

    private static string Shown(string name) => name.Length <= 100 && OneLine.Is(name) ? name : "(unreadable)";

    [LoggerMessage(Level = LogLevel.Information, Message = "{Folder} was read: {Count} agents of it are in force, {Refused} files are refused")]
    private partial void LogRead(string folder, int count, int refused);

    [LoggerMessage(Level = LogLevel.Error, Message = "An agent's definition is refused, what was there of the file before stays: {Error}")]
    private partial void LogRefused(string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Folder} cannot be read, its agents stay as they are: {Error}")]
    private partial void LogUnreadable(string folder, string error);
}
