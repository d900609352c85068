using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Guards;

/// <summary>The section <c>guards</c>: rules for every key, and under <c>keys</c> those of single ones, which stand in the place of all others.</summary>
internal sealed class GuardSection : IConfigSection
{
    private Dictionary<string, GuardSettings> _keys = [];

    public IReadOnlyList<string> Names { get; } = ["guards"];

    public GuardSettings Current { get; private set; } = GuardSettings.None;

    /// <summary>Changes whenever the section was read anew.</summary>
    public object Version { get; private set; } = new();

    /// <summary>What the operator set for one key; null where nothing is.</summary>
    public GuardSettings? Of(KeyId key) => _keys.GetValueOrDefault(key.Value);

    public Action Read(ConfigRead file)
    {
        var (all, keys) = (GuardSettings.None, new Dictionary<string, GuardSettings>(StringComparer.Ordinal));
        if (file.Section("guards") is { } section)
        {
            all = file.Try(() => GuardSettings.Read(section, "keys"), all);
            foreach (var (id, view) in file.Try(() => section.Optional("keys")?.Members().ToArray(), null) ?? [])
            {
                if (file.Try(() => GuardSettings.Read(view), null!) is { } settings) keys[id] = settings;
            }
        }

        return () => (Current, _keys, Version) = (all, keys, new object());
    }
}
